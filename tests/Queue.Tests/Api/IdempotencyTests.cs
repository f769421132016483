using System.Net.Http.Headers;
using System.Text;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Tests.Api;

/// <summary>A key and a body belong together: the same again finds what it made, another body is a mistake and told.</summary>
public sealed class IdempotencyTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Batch = """{"endpoint":"/v1/chat/completions","completion_window":"2h","requests":[{"custom_id":"one","body":{"model":"auto","messages":[{"role":"user","content":"Hello"}]}}]}""";
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Theory]
    [InlineData("/v1/tasks", """{"prompt":"Why?"}""", """{"prompt":"How?"}""", 202)]
    [InlineData("/v1/tasks", """[{"prompt":"Why?"},{"prompt":"Who?"}]""", """[{"prompt":"Why?"}]""", 202)]
    [InlineData("/v1/summaries", """{"pages":[{"text":"A page."}]}""", """{"pages":[{"text":"Another page."}]}""", 202)]
    [InlineData("/v1/batches", Batch,
        """{"endpoint":"/v1/chat/completions","completion_window":"3h","requests":[{"custom_id":"one","body":{}}]}""", 200)]
    [InlineData("/v1/chat/completions", """{"model":"auto","messages":[{"role":"user","content":"Why?"}]}""",
        """{"model":"auto","messages":[{"role":"user","content":"How?"}]}""", 200)]
    public async Task The_same_again_finds_what_it_made_and_another_body_is_refused(string address, string body, string other, int status)
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;
        using var ben = queue.Ben;

        var first = await anna.PostText(address, body, ("Idempotency-Key", "job-1")).Body(status);
        // As the header's draft has it: a quoted text.
        var again = await anna.PostText(address, body, ("Idempotency-Key", "\"job-1\"")).Body(status);
        var refused = await anna.PostText(address, other, ("Idempotency-Key", "job-1")).Body(422);
        var anothers = await ben.PostText(address, other.Replace("\"body\":{}", "\"body\":{\"model\":\"auto\"}", StringComparison.Ordinal),
            ("Idempotency-Key", "job-1"))
            .Body(status);

        Assert.Equal(Ids(first), Ids(again));
        Assert.NotEqual(Ids(first), Ids(anothers));
        Assert.Contains("came before with another body", refused.ToString(), StringComparison.Ordinal);
        Assert.Contains(address is "/v1/tasks" or "/v1/summaries" ? "urn:llmqueue:problem:key-reused" : "idempotency_key_reused",
            refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_that_was_refused_may_be_mended_under_its_key()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        await anna.PostText("/v1/tasks", """{"promt":"Why?"}""", ("Idempotency-Key", "mended")).Body(400);

        await anna.PostText("/v1/tasks", """{"prompt":"Why?"}""", ("Idempotency-Key", "mended")).Body(202);
    }

    [Fact]
    public async Task Of_two_bodies_that_come_at_once_under_one_key_only_one_is_taken()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var statuses = (await Task.WhenAll(Enumerable.Range(0, 16).Select(async i =>
            (int)(await anna.PostText("/v1/tasks", $$"""{"prompt":"Question {{i % 4}}"}""", ("Idempotency-Key", "race"))).StatusCode)))
            .ToList();

        // Four sent the body that was taken; an answer to them is the task, or that it is being written.
        Assert.Equal(12, statuses.Count(s => s == 422));
        Assert.All(statuses.Where(s => s != 422), s => Assert.Contains(s, new[] { 202, 409 }));
        Assert.Equal(1, (await anna.Get("/v1/tasks").Body(200)).GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task A_chat_that_comes_again_while_it_runs_waits_for_the_same_task()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;
        const string Body = """{"model":"auto","messages":[{"role":"user","content":"Why?"}]}""";

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 3).Select(async _ => await anna.PostText("/v1/chat/completions", Body, ("Idempotency-Key", "chat-1"))));

        var ids = new List<string>();
        foreach (var answer in answers)
            if ((int)answer.StatusCode == 200)
                ids.Add((await Task.FromResult(answer).Body(200)).Text("id"));
        Assert.NotEmpty(ids);
        Assert.Single(ids.Distinct(StringComparer.Ordinal));
        Assert.Equal(1, (await simulator.Statistics()).Calls);
    }

    [Fact]
    public async Task A_batch_whose_requests_were_written_before_a_crash_is_made_by_the_next_try()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;
        var first = await anna.PostText("/v1/batches", Batch, ("Idempotency-Key", "crashed")).Body(200);
        await anna.Becomes(first.Text("id"), "completed");
        // As the crash left it: the file is there, the batch is not.
        await queue.Read(db => db.Batches.ExecuteDeleteAsync(TestContext.Current.CancellationToken));
        await queue.Read(db => db.Tasks.ExecuteDeleteAsync(TestContext.Current.CancellationToken));

        var again = await anna.PostText("/v1/batches", Batch, ("Idempotency-Key", "crashed")).Body(200);

        Assert.Equal((first.Text("id"), first.Text("input_file_id")), (again.Text("id"), again.Text("input_file_id")));
        await anna.Becomes(again.Text("id"), "completed");
    }

    [Fact]
    public async Task A_file_is_known_by_its_content_whatever_boundary_its_form_has()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var first = await Upload(anna, "{}\n", "a.jsonl").Body(200);
        var again = await Upload(anna, "{}\n", "a.jsonl").Body(200);
        var refused = await Upload(anna, "[]\n", "a.jsonl").Body(422);
        var renamed = await Upload(anna, "{}\n", "b.jsonl").Body(422);

        Assert.Equal(first.Text("id"), again.Text("id"));
        Assert.Equal("idempotency_key_reused", refused.GetProperty("error").Text("code"));
        Assert.Equal("invalid_request_error", renamed.GetProperty("error").Text("type"));
        Assert.Equal(1, (await anna.Get("/v1/files").Body(200)).GetProperty("data").GetArrayLength());
    }

    private static Task<HttpResponseMessage> Upload(HttpClient client, string content, string name)
    {
        var bytes = new ByteArrayContent(Encoding.UTF8.GetBytes(content))
        {
            Headers = { ContentType = new MediaTypeHeaderValue("application/jsonl") },
        };
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/files")
        {
            Content = new MultipartFormDataContent(Guid.NewGuid().ToString("N"))
            {
                { new StringContent("batch"), "purpose" }, { bytes, "file", name },
            },
        };
        request.Headers.Add("Idempotency-Key", "file-1");
        return client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private static string Ids(System.Text.Json.JsonElement answer) =>
        answer.ValueKind is System.Text.Json.JsonValueKind.Array
            ? string.Join(' ', answer.EnumerateArray().Select(a => a.Text("id")))
            : answer.Text("id");
}
