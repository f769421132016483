using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

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
        Assert.Equal("""{"status":"completed","counts":{"total":12,"completed":11,"failed":1},"metadata":{"by":"node"}}""", result.GetProperty("batch").GetRawText());
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
    public async Task The_example_with_OpenAIs_client_runs_as_it_stands()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);

        var written = await NodeModules.Run(NodeModules.Example("openai.mjs"), ("LLMQUEUE_URL", queue.Url.ToString().TrimEnd('/')), ("LLMQUEUE_TOKEN", "first-secret"));

        Assert.Contains("""batch: completed {"total":3,"completed":3,"failed":0}""", written, StringComparison.Ordinal);
        Assert.Contains("line-2: ", written, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_example_with_amqplib_publishes_a_task_and_hears_that_it_is_completed()
    {
        var broker = await (await SharedServers.Rabbit).CreateVirtualHost();
        await using var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = Catalogue, ProviderUrl = (await simulators.Fresh()).BaseUrl, Broker = broker });

        var written = await NodeModules.Run(NodeModules.Example("amqp.mjs"), ("RABBITMQ_URL", broker));

        var ended = JsonDocument.Parse(written).RootElement;
        Assert.Equal(("LlmTaskCompleted", "groq:small", "node"), (ended.Text("event"), ended.Text("model"), ended.GetProperty("metadata").Text("from")));
        Assert.Equal("Completed", (await queue.Ended(ended.GetProperty("taskId").GetGuid())).State);
    }
}
