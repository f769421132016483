using LlmQueue.Catalogue;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Hosting.Settings;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmQueue.Tests.Embedded;

/// <summary>What the commands ask of their own process is registered, whatever parts it has.</summary>
public sealed class ClientRegistrationTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Everything_that_a_command_asks_for_is_there(bool withWorker, bool withBroker)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal) { ["GROQ_API_KEY"] = "sk-key-1" };
        if (withBroker)
            variables["RABBITMQ_URL"] = "amqp://guest:guest@127.0.0.1:5672/";
        var settings = QueueSettings.Read(variables, AppContext.BaseDirectory);
        var installation = new Installation(AppContext.BaseDirectory, settings,
            ModelCatalogue.Parse(TestCatalogue.Of(new TestModel("small")), "test.json"), new WorkerOptions());
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder(
            new HostApplicationBuilderSettings { DisableDefaults = true });

        var parts = new ProcessParts(WithApi: false, withWorker, _ => { });
        OneProcess.Add(builder, installation, installation.Current(), parts, "Host=127.0.0.1;Port=1;Database=none;Username=none");

        await using var services = builder.Services.BuildServiceProvider();
        Assert.NotNull(services.GetRequiredService<ClientServices>());
    }

    [Fact]
    public void Every_command_of_the_readme_is_in_the_list()
    {
        var context = new LlmQueue.Embedded.CommandContext(TimeProvider.System, CancellationToken.None);
        var readme = File.ReadAllText(Path.Combine(BuiltPrograms.Repository, "README.md"));

        Assert.All(LlmQueue.Embedded.CommandList.All,
            define => Assert.Contains($"| `./run.sh {define(context).Name}", readme, StringComparison.Ordinal));
    }
}
