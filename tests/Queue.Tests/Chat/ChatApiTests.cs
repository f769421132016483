using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Tests.Chat;

public sealed class ChatApiTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"), new TestModel("large"));
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_question_is_answered_when_its_task_has_ended()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var answer = await anna.PostText("/v1/chat/completions", Question("small")).Body(200);

        Assert.Equal(("chat.completion", "groq:small"), (answer.Text("object"), answer.Text("model")));
        Assert.Equal("stop", answer.GetProperty("choices")[0].Text("finish_reason"));
        Assert.NotEmpty(answer.GetProperty("choices")[0].GetProperty("message").Text("content"));
        Assert.Equal(answer.GetRawText(), (await anna.Get($"/v1/chat/completions/{answer.Text("id")}").Body(200)).GetRawText());
        Assert.Equal(Priorities.Interactive, (await queue.Read(db => db.Tasks.SingleAsync(Cancel))).Priority);
    }

    [Fact]
    public async Task Tokens_are_sent_while_the_provider_still_speaks()
    {
        var simulator = await simulators.Fresh();
        await simulator.Configure(new { perOutputTokenMs = 30 });
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;
        var pieces = new List<string>();
        var before = 0;
        JsonElement? usage = null;

        await foreach (var chunk in Events(anna, Question("small", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}",
            "Tell me of the sea, the harbour, the ships and the tide, at length.")))
        {
            Assert.Equal("chat.completion.chunk", chunk.Text("object"));
            if (chunk.TryGetProperty("usage", out var counted))
                usage = counted;
            if (chunk.GetProperty("choices") is { } choices
                && choices.GetArrayLength() > 0
                && choices[0].GetProperty("delta").TryGetProperty("content", out var text))
            {
                pieces.Add(text.GetString()!);
                if ((await queue.Read(db => db.Tasks.AsNoTracking().SingleAsync(Cancel))).State == TaskStates.Calling)
                    before++;
            }
        }

        await simulator.Configure(new { perOutputTokenMs = 0 });
        Assert.True(before >= 3, $"{before} of {pieces.Count} pieces came before the call had ended.");
        Assert.Equal(await queue.Read(db => db.Payloads.Where(p => p.Part == PayloadRow.Answer).Select(p => p.Content).SingleAsync(Cancel)),
            string.Concat(pieces));
        Assert.True(usage?.GetProperty("completion_tokens").GetInt32() > 0);
        Assert.True(Assert.Single(await simulator.Log()).Stream);
    }

    [Fact]
    public async Task A_stream_that_breaks_off_is_finished_by_the_next_attempt()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { half = true }, times: 1);
        await using var queue = await WholeQueue.Start(TestCatalogue.Of(new TestModel("small")), simulator.BaseUrl);
        using var anna = queue.Anna;
        var text = "";

        await foreach (var chunk in Events(anna, Question("small", ",\"stream\":true")))
            if (chunk.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("content", out var piece))
                text += piece.GetString();

        Assert.Equal(2, (await simulator.Log()).Count);
        Assert.Equal(
            await queue.Read(db => db.Payloads.Where(p => p.Part == PayloadRow.Answer).Select(p => p.Content).SingleAsync(Cancel)), text);
    }

    [Fact]
    public async Task A_client_that_goes_away_cancels_its_task()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { hang = true });
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;
        using var leaving = new CancellationTokenSource();

        var asked = anna.PostAsync("/v1/chat/completions", new StringContent(Question("small")), leaving.Token);
        await Eventually.True("it is being called", Soon,
            () => queue.Read(db => db.Tasks.AnyAsync(t => t.State == TaskStates.Calling, Cancel)));
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        await Eventually.True("it is canceled", Soon,
            () => queue.Read(db => db.Tasks.AnyAsync(t => t.State == TaskStates.Canceled, Cancel)));
    }

    [Fact]
    public async Task Who_may_not_wait_so_long_is_told_where_the_answer_will_be()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { delayMs = 1500 });
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;

        using var response = await anna.PostText("/v1/chat/completions", Question("small"), ("Prefer", "wait=1"));
        Assert.Equal(202, (int)response.StatusCode);
        Assert.Equal("wait=1", response.Headers.GetValues("Preference-Applied").Single());
        var place = response.Headers.Location!.ToString();

        await Eventually.True("the answer is there", Soon, async () => (int)(await anna.Get(place)).StatusCode == 200);
        Assert.NotEmpty((await anna.Get(place).Body(200)).GetProperty("choices")[0].GetProperty("message").Text("content"));
    }

    [Fact]
    public async Task Tools_are_passed_on_and_their_calls_come_back()
    {
        // The provider's words are given by the test: what the queue makes of them is meant.
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { status = 200, body = JsonDocument.Parse("""
            {"id":"x","object":"chat.completion","model":"small","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,
             "tool_calls":[{"id":"call_1","type":"function","function":{"name":"tide","arguments":"{\"harbour\":7}"}}]}}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}
            """).RootElement, headers = new Dictionary<string, string> { ["content-type"] = "application/json" } }, times: 1);
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;

        var answer = await anna.PostText("/v1/chat/completions",
            Question("small", ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"tide\",\"parameters\":{\"type\":\"object\"}}}]"))
            .Body(200);

        var choice = answer.GetProperty("choices")[0];
        Assert.Equal("tool_calls", choice.Text("finish_reason"));
        Assert.Equal("""{"harbour":7}""",
            choice.GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function").Text("arguments"));
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("message").GetProperty("content").ValueKind);
        // And the turn that answers the call goes out as the provider wants it.
        await anna.PostText("/v1/chat/completions", """
            {"model":"small","messages":[{"role":"user","content":"When is the tide?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"tide","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"at nine"}]}
            """).Body(200);
    }

    [Theory]
    [InlineData("""{"model":"small"}""", 400, "messages", "missing_required_parameter")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}]}""", 400, "model", "missing_required_parameter")]
    [InlineData("""{"model":"nobody","messages":[{"role":"user","content":"x"}]}""", 404, "model", "model_not_found")]
    [InlineData("""{"model":"small","messages":[{"role":"user","content":"x"}],"temperature":"hot"}""", 400, "temperature",
        "invalid_value")]
    [InlineData("""{"model":"small","messages":[{"role":"user","content":"x"}],"n":3}""", 400, "n", "invalid_value")]
    [InlineData("""{"model":"small","messages":[{"role":"user","content":[{"type":"input_audio"}]}]}""", 400, "messages[0].content[0]",
        "invalid_value")]
    [InlineData("""[]""", 400, null, null)]
    [InlineData("""{"model""", 400, null, "not_json")]
    public async Task What_is_wrong_is_said_in_OpenAIs_envelope(string body, int status, string? param, string? code)
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var error = (await anna.PostText("/v1/chat/completions", body).Body(status)).GetProperty("error");

        Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(p => p.Name));
        Assert.Equal(("invalid_request_error", param, code),
            (error.Text("type"), error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
    }

    private static string Question(string model, string more = "", string prompt = "Why is the sky blue?") =>
        $$"""{"model":"{{model}}","messages":[{"role":"user","content":"{{prompt}}"}],"max_tokens":200{{more}}}""";

    private static async IAsyncEnumerable<JsonElement> Events(HttpClient client, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body) };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        while (await reader.ReadLineAsync(Cancel) is { } line)
        {
            if (line == "data: [DONE]")
                yield break;
            if (line.StartsWith("data: ", StringComparison.Ordinal))
                yield return JsonDocument.Parse(line["data: ".Length..]).RootElement;
        }

        Assert.Fail("The stream ended without [DONE].");
    }
}
