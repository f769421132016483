using System.Text.Json;
using LlmQueue.Api.Batches;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Tests.Batches;

/// <summary>The contract of /v1/batches, from the file to the two files that come of it.</summary>
public sealed class BatchesApiTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"), new TestModel("large"));

    [Fact]
    public async Task Every_line_is_in_one_of_the_two_files_under_its_name()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;
        string[] lines =
        [
            BatchClient.Line("a", "first"), "", BatchClient.Line("b", "second", "small"), BatchClient.Line("c", "third", "auto"),
            BatchClient.Line("d", "fourth", "large", ",\"temperature\":0.3,\"seed\":7"),
            BatchClient.Line("bad-model", model: "gpt-of-nobody"), BatchClient.Line("bad-stream", more: ",\"stream\":true"),
            BatchClient.Line("bad-field", more: ",\"temperatur\":1"), BatchClient.Line("bad-n", more: ",\"n\":2"),
            BatchClient.Line("bad-logprobs", more: ",\"logprobs\":true"),
            """{"custom_id":"bad-body","method":"POST","url":"/v1/chat/completions","body":{"model":"auto"}}""",
        ];

        var created = await anna.CreateBatch(await anna.Upload(string.Join('\n', lines)));
        Assert.Equal("validating", created.Text("status"));
        var batch = await anna.Becomes(created.Text("id"), "completed");

        Assert.Equal("""{"total":10,"completed":4,"failed":6}""", batch.GetProperty("request_counts").GetRawText());
        var output = await anna.Lines(batch, "output_file_id");
        var errors = await anna.Lines(batch, "error_file_id");
        Assert.Equal(["a", "b", "c", "d"], output.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(["bad-body", "bad-field", "bad-logprobs", "bad-model", "bad-n", "bad-stream"],
            errors.Keys.Order(StringComparer.Ordinal));
        Assert.All(output.Values, line =>
        {
            Assert.Equal(JsonValueKind.Null, line.GetProperty("error").ValueKind);
            var (response, body) = (line.GetProperty("response"), line.GetProperty("response").GetProperty("body"));
            Assert.Equal(200, response.GetProperty("status_code").GetInt32());
            Assert.StartsWith("req_", response.Text("request_id"), StringComparison.Ordinal);
            Assert.Equal("chat.completion", body.Text("object"));
            var choice = body.GetProperty("choices")[0];
            Assert.NotEmpty(choice.GetProperty("message").Text("content"));
            Assert.Equal(JsonValueKind.Null, choice.GetProperty("message").GetProperty("refusal").ValueKind);
            Assert.Equal(JsonValueKind.Null, choice.GetProperty("logprobs").ValueKind);
            Assert.True(body.GetProperty("usage").GetProperty("total_tokens").GetInt64() > 0);
        });
        Assert.Equal("groq:large", output["d"].GetProperty("response").GetProperty("body").Text("model"));
        AssertRefusal(errors["bad-model"], 404, "model_not_found", "model");
        AssertRefusal(errors["bad-stream"], 400, "invalid_value", "stream");
        AssertRefusal(errors["bad-field"], 400, "unknown_parameter", "temperatur");
        AssertRefusal(errors["bad-n"], 400, "invalid_value", "n");
        AssertRefusal(errors["bad-logprobs"], 400, "unsupported_value", "logprobs");
        AssertRefusal(errors["bad-body"], 400, "missing_required_parameter", "messages");
        Assert.True(batch.GetProperty("usage").GetProperty("output_tokens").GetInt64() > 0);
    }

    [Fact]
    public async Task Parameters_reach_the_provider_as_they_are()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;
        // The simulator answers in the form it is asked for: a schema that reached it shapes what comes back.
        var line = BatchClient.Line("form", "Name a colour and a number.",
            more: """,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"pair\",\"strict\":true,\"schema\":{\"type\":\"object\",\"properties\":{\"colour\":{\"type\":\"string\"},\"number\":{\"type\":\"integer\"}},\"required\":[\"colour\",\"number\"],\"additionalProperties\":false}}}""".Replace(
                "\\\"", "\"", StringComparison.Ordinal));

        var batch = await anna.Becomes(
            (await anna.CreateBatch(await anna.Upload(line.Replace("\"max_tokens\":20", "\"max_tokens\":400", StringComparison.Ordinal))))
                .Text("id"),
            "completed");

        var content = (await anna.Lines(batch, "output_file_id"))["form"].GetProperty("response").GetProperty("body")
            .GetProperty("choices")[0].GetProperty("message").Text("content");
        using var answer = JsonDocument.Parse(content);
        Assert.Equal(JsonValueKind.Number, answer.RootElement.GetProperty("number").ValueKind);
        Assert.Equal(JsonValueKind.String, answer.RootElement.GetProperty("colour").ValueKind);
    }

    [Theory]
    [InlineData("", "empty_file", null)]
    [InlineData("{\"custom_id\":", "invalid_json_line", 1)]
    [InlineData("[1]", "invalid_json_line", 1)]
    [InlineData("{\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "missing_required_parameter", 1)]
    [InlineData("{\"custom_id\":\"x\",\"method\":\"GET\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "invalid_method", 1)]
    [InlineData("{\"custom_id\":\"x\",\"method\":\"POST\",\"url\":\"/v1/embeddings\",\"body\":{}}", "url_mismatch", 1)]
    [InlineData("{\"custom_id\":\"x\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\"}", "missing_required_parameter", 1)]
    [InlineData("{\"custom_id\":\"\\ud800\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "invalid_json_line", 1)]
    [InlineData("twice", "duplicate_custom_id", 3)]
    public async Task What_is_no_request_fails_the_batch_after_its_creation_and_nothing_runs(string content, string code, int? line)
    {
        var simulator = await simulators.Fresh();
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;
        if (content == "twice")
            content = $"{BatchClient.Line("same")}\n{BatchClient.Line("other")}\n{BatchClient.Line("same")}\n";

        var batch = await anna.Becomes((await anna.CreateBatch(await anna.Upload(content))).Text("id"), "failed");

        var error = Assert.Single(batch.GetProperty("errors").GetProperty("data").EnumerateArray());
        Assert.Equal((code, line),
            (error.Text("code"), error.GetProperty("line").ValueKind is JsonValueKind.Null ? null : error.GetProperty("line").GetInt32()));
        Assert.NotEmpty(error.Text("message"));
        Assert.Equal(0, await queue.Read(db => db.Tasks.CountAsync(TestContext.Current.CancellationToken)));
        Assert.Equal(0, (await simulator.Statistics()).Calls);
        Assert.Equal(JsonValueKind.Null, batch.GetProperty("output_file_id").ValueKind);
    }

    [Fact]
    public async Task A_batch_whose_every_line_fails_is_completed_without_an_output_file()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var batch = await anna.Becomes((await anna.CreateBatch(await anna.Upload(BatchClient.Line("x", model: "nobody")))).Text("id"),
            "completed");

        Assert.Equal(JsonValueKind.Null, batch.GetProperty("output_file_id").ValueKind);
        Assert.Equal("""{"total":1,"completed":0,"failed":1}""", batch.GetProperty("request_counts").GetRawText());
        Assert.Single(await anna.Lines(batch, "error_file_id"));
    }

    [Fact]
    public async Task A_canceled_batch_keeps_what_it_had_and_says_of_the_rest_that_it_was_canceled()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await WholeQueue.Start(TestCatalogue.Of(new TestModel("small") { Rpm = 8 }), simulator.BaseUrl);
        using var anna = queue.Anna;
        var created = await anna.CreateBatch(
            await anna.Upload(string.Concat(Enumerable.Range(0, 1200).Select(i => BatchClient.Line($"line-{i}", $"Question {i}") + "\n"))));
        await Eventually.True("some are done", BatchClient.Soon, async () => (await anna.Get($"/v1/batches/{created.Text("id")}").Body(200))
            .GetProperty("request_counts").GetProperty("completed").GetInt32() > 0);

        var asked = await anna.PostText($"/v1/batches/{created.Text("id")}/cancel", "").Body(200);
        Assert.Equal("cancelling", asked.Text("status"));
        var batch = await anna.Becomes(created.Text("id"), "cancelled");

        var (output, errors) = (await anna.Lines(batch, "output_file_id"), await anna.Lines(batch, "error_file_id"));
        Assert.Equal(1200, output.Keys.Union(errors.Keys).Count());
        Assert.Equal(1200, output.Count + errors.Count);
        Assert.NotEmpty(output);
        Assert.All(errors.Values, line => Assert.Equal(("batch_cancelled", JsonValueKind.Null),
            (line.GetProperty("error").Text("code"), line.GetProperty("response").ValueKind)));
        Assert.Equal(1200, batch.GetProperty("request_counts").GetProperty("total").GetInt32());
        Assert.True(batch.GetProperty("cancelled_at").GetInt64() >= batch.GetProperty("cancelling_at").GetInt64());
    }

    [Fact]
    public async Task A_batch_whose_window_ends_gives_what_it_has_and_names_the_rest_as_expired()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await WholeQueue.Start(TestCatalogue.Of(new TestModel("small") { Rpm = 8 }), simulator.BaseUrl);
        using var anna = queue.Anna;
        var created = await anna.CreateBatch(
            await anna.Upload(string.Concat(Enumerable.Range(0, 700).Select(i => BatchClient.Line($"line-{i}", $"Question {i}") + "\n"))),
            "30m");
        await Eventually.True("some are done", BatchClient.Soon, async () => (await anna.Get($"/v1/batches/{created.Text("id")}").Body(200))
            .GetProperty("request_counts").GetProperty("completed").GetInt32() > 0);

        // Half an hour passes for this batch.
        await queue.Read(db =>
            db.Batches.ExecuteUpdateAsync(s => s.SetProperty(b => b.ExpiresAt, b => b.CreatedAt), TestContext.Current.CancellationToken));
        var batch = await anna.Becomes(created.Text("id"), "expired");

        var (output, errors) = (await anna.Lines(batch, "output_file_id"), await anna.Lines(batch, "error_file_id"));
        Assert.Equal(700, output.Keys.Union(errors.Keys).Count());
        Assert.NotEmpty(output);
        Assert.All(errors.Values, line => Assert.Equal(
            """{"code":"batch_expired","message":"This request could not be executed before the completion window expired."}""",
            line.GetProperty("error").GetRawText()));
    }

    [Fact]
    public async Task Requests_may_stand_in_the_body()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var created = await anna.PostText("/v1/batches", """
            {"endpoint":"/v1/chat/completions","completion_window":"2h","metadata":{"job":"nightly"},
             "requests":[{"custom_id":"one","body":{"model":"auto","messages":[{"role":"user","content":"Hello"}]}}]}
            """).Body(200);
        var batch = await anna.Becomes(created.Text("id"), "completed");

        Assert.Equal("nightly", batch.GetProperty("metadata").Text("job"));
        Assert.Equal(["one"], (await anna.Lines(batch, "output_file_id")).Keys);
    }

    [Theory]
    [InlineData("30m", true)]
    [InlineData("2h", true)]
    [InlineData("7d", true)]
    [InlineData("168h", true)]
    [InlineData("29m", false)]
    [InlineData("8d", false)]
    [InlineData("1w", false)]
    [InlineData("-30m", false)]
    [InlineData("", false)]
    public void Windows_are_from_thirty_minutes_to_seven_days(string window, bool fits) =>
        Assert.Equal(fits, BatchRequest.LengthOf(window) is not null);

    private static void AssertRefusal(JsonElement line, int status, string code, string param)
    {
        Assert.Equal(JsonValueKind.Null, line.GetProperty("error").ValueKind);
        Assert.Equal(status, line.GetProperty("response").GetProperty("status_code").GetInt32());
        var error = line.GetProperty("response").GetProperty("body").GetProperty("error");
        Assert.Equal((code, param, "invalid_request_error"), (error.Text("code"), error.Text("param"), error.Text("type")));
        Assert.NotEmpty(error.Text("message"));
    }
}
