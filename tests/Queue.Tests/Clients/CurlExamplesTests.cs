using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Clients;

/// <summary>The examples that need nothing but curl.</summary>
public sealed class CurlExamplesTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Theory]
    [InlineData("task.sh", "event: Completed", "\"state\":\"Completed\"")]
    [InlineData("batch.sh", "completed", "\"custom_id\":\"three\"")]
    public async Task They_run_as_they_stand(string script, params string[] expected)
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);

        var (code, output, errors) = await NodeModules.Program(BuiltPrograms.Repository, "bash", [Path.Combine("examples", "curl", script)],
            [("LLMQUEUE_URL", queue.Url.ToString().TrimEnd('/')), ("LLMQUEUE_TOKEN", "first-secret")]);

        Assert.True(code == 0, errors + output);
        Assert.All(expected, text => Assert.Contains(text, output, StringComparison.Ordinal));
    }
}
