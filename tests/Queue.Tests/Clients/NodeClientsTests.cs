using System.Text.Json;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using LlmQueue.Tests.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Tests.Clients;

/// <summary>npm's openai and amqplib, unchanged, and the examples that a reader copies.</summary>
public sealed class NodeClientsTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Fact]
    public async Task OpenAIs_client_for_Node_does_all_it_is_for()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);

        var written = await NodeModules.Run(Path.Combine(BuiltPrograms.Repository, "tests", "Queue.Tests", "Clients", "node-openai.mjs"),
            ("LLMQUEUE_URL", queue.Url.ToString().TrimEnd('/')), ("LLMQUEUE_TOKEN", "first-secret"), ("MODEL", "small"));

        var result = JsonDocument.Parse(written).RootElement;
        Assert.Equal(["auto", "groq:small"], result.GetProperty("models").EnumerateArray().Select(m => m.GetString()));
        Assert.Equal(result.Text("chat"), result.Text("stream"));
        Assert.True(result.GetProperty("usage").GetInt32() > 0);
        Assert.Equal("""{"status":"completed","counts":{"total":12,"completed":11,"failed":1},"metadata":{"by":"node"}}""",
            result.GetProperty("batch").GetRawText());
        Assert.Equal(11, result.GetProperty("output").GetArrayLength());
        Assert.Equal("""["line-3 404 model_not_found"]""", result.GetProperty("errors").GetRawText());
        Assert.Equal("[true]", result.GetProperty("batches").GetRawText());
        Assert.Equal("""["batch_output","batch_output","batch"]""", result.GetProperty("files").GetRawText());
        Assert.True(result.GetProperty("deleted").GetBoolean());
        Assert.Equal(
            """{"unauthorized":"AuthenticationError 401 invalid_api_key","unknownModel":"NotFoundError 404 model_not_found","badRequest":"BadRequestError 400 invalid_value","noFile":"NotFoundError 404 not_found","noBatch":"NotFoundError 404 not_found","ended":"ConflictError 409 ended"}""",
            result.GetProperty("raised").GetRawText());
    }

    [Fact]
    public async Task OpenAIs_client_for_Node_pages_waits_leaves_and_raises_what_its_users_catch()
    {
        var simulator = await simulators.Fresh();
        await simulator.Configure(new { perOutputTokenMs = 20 });
        await using var receiver = await Receiver.Start((_, _) => Task.CompletedTask);
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl, ("LLMQUEUE_READ_TOKENS", "anna:looking-secret"),
            ("LLMQUEUE_WEBHOOK_SECRETS", $"anna:{WebhookTests.Secret}"), ("LLMQUEUE_PRIVATE_HOSTS", "127.0.0.1"));
        await using var limited = await WholeQueue.Start(Catalogue, simulator.BaseUrl, ("LLMQUEUE_REQUESTS_PER_MINUTE", "1"));
        using var anna = queue.Anna;
        await anna.PostText("/v1/batches", JsonSerializer.Serialize(new
        {
            endpoint = "/v1/chat/completions", completion_window = "24h", requests = new[] { new { custom_id = "x", body = new { } } },
            webhook_url = receiver.Url,
        }))
            .Body(200);
        await Eventually.True("the batch's end is told", TimeSpan.FromSeconds(30), () => receiver.Calls.Count == 1);
        var call = receiver.Calls[0];

        var written = await NodeModules.Run(
            Path.Combine(BuiltPrograms.Repository, "tests", "Queue.Tests", "Clients", "node-openai-edges.mjs"),
            ("LLMQUEUE_URL", queue.Url.ToString().TrimEnd('/')), ("LIMITED_URL", limited.Url.ToString().TrimEnd('/')),
            ("LLMQUEUE_TOKEN", "first-secret"), ("READ_TOKEN", "looking-secret"), ("MODEL", "small"),
            ("WEBHOOK_BODY", call.Text),
            ("WEBHOOK_HEADERS", JsonSerializer.Serialize(call.Headers.ToDictionary(h => h.Key.ToLowerInvariant(), h => h.Value))),
            ("WEBHOOK_SECRET", WebhookTests.Secret));
        await simulator.Configure(new { perOutputTokenMs = 0 });

        var result = JsonDocument.Parse(written).RootElement;
        Assert.All(new[] { "batches", "after", "cameBackFor", "once" },
            name => Assert.True(result.GetProperty(name).GetBoolean(), $"{name}: {written}"));
        Assert.Equal("no json\n", result.Text("content"));
        Assert.Equal("""{"choices":0,"adds":true}""", result.GetProperty("usage").GetRawText());
        Assert.Equal("""{"choices":0,"named":true}""", result.GetProperty("handedOver").GetRawText());
        Assert.Equal("""{"type":"batch.completed","object":"event","data":true}""", result.GetProperty("event").GetRawText());
        Assert.StartsWith("InvalidWebhookSignatureError", result.Text("forged"), StringComparison.Ordinal);
        Assert.Equal(
            """{"keyReused":"UnprocessableEntityError 422 idempotency_key_reused","readOnly":"PermissionDeniedError 403 read_only","tooOften":"RateLimitError 429 rate_limit_exceeded","severalAnswers":"BadRequestError 400 invalid_value","logprobs":"BadRequestError 400 unsupported_value","otherEndpoint":"BadRequestError 400 invalid_value","noWindow":"BadRequestError 400 invalid_value"}""",
            result.GetProperty("raised").GetRawText());
        await Eventually.True("the task of whoever left is canceled", TimeSpan.FromSeconds(20), () => queue.Read(db =>
            db.Tasks.AnyAsync(t => t.State == TaskStates.Canceled && t.Metadata!.Contains("left"), TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task The_example_with_OpenAIs_client_runs_as_it_stands()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);

        var written = await NodeModules.Run(NodeModules.Example("openai.mjs"), ("LLMQUEUE_URL", queue.Url.ToString().TrimEnd('/')),
            ("LLMQUEUE_TOKEN", "first-secret"));

        Assert.Contains("""batch: completed {"total":3,"completed":3,"failed":0}""", written, StringComparison.Ordinal);
        Assert.Contains("line-2: ", written, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_example_with_amqplib_publishes_a_task_and_hears_that_it_is_completed()
    {
        var broker = await (await SharedServers.Rabbit).CreateVirtualHost();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = Catalogue, ProviderUrl = (await simulators.Fresh()).BaseUrl, Broker = broker });

        var written = await NodeModules.Run(NodeModules.Example("amqp.mjs"), ("RABBITMQ_URL", broker));

        var ended = JsonDocument.Parse(written).RootElement;
        Assert.Equal(("LlmTaskCompleted", "groq:small", "node"),
            (ended.Text("event"), ended.Text("model"), ended.GetProperty("metadata").Text("from")));
        Assert.Equal("Completed", (await queue.Ended(ended.GetProperty("taskId").GetGuid())).State);
    }
}
