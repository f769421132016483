using LlmQueue.Contracts;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Clients;

/// <summary>
/// The examples for curl and for .NET, run as a reader would run them; those for Node are in <see cref="NodeClientsTests"/>.
/// </summary>
public sealed class ExamplesTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Theory]
    [InlineData("task.sh", "event: Completed", "\"state\":\"Completed\"")]
    [InlineData("batch.sh", "completed", "\"custom_id\":\"three\"")]
    public async Task Those_for_curl_run_as_they_stand(string script, params string[] expected)
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);

        var (code, output, errors) = await NodeModules.Program(BuiltPrograms.Repository, "bash", [Path.Combine("examples", "curl", script)],
            [("LLMQUEUE_URL", queue.Url.ToString().TrimEnd('/')), ("LLMQUEUE_TOKEN", "first-secret")]);

        Assert.True(code == 0, errors + output);
        Assert.All(expected, text => Assert.Contains(text, output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_one_for_DotNet_publishes_a_task_and_hears_of_its_end()
    {
        var broker = await (await SharedServers.Rabbit).CreateVirtualHost();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = Catalogue, ProviderUrl = (await simulators.Fresh()).BaseUrl, Broker = broker });

        var (code, output, errors) = await NodeModules.Program(BuiltPrograms.Repository, "dotnet",
            [BuiltPrograms.Example, "Why is the sea salt?"], [("RABBITMQ_URL", broker)]);

        Assert.True(code == 0, errors + output);
        Assert.Contains("groq:small: ", output, StringComparison.Ordinal);
        Assert.Single(queue.Events<LlmTaskCompleted>());
    }
}
