using System.Net;
using System.Net.Http.Json;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Catalogue;

/// <summary>A catalogue that is edited while the queue works.</summary>
public sealed class CatalogueReloadTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>, IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmqueue-catalogue-").FullName;

    private string CataloguePath => Path.Combine(folder, "catalogue.json");

    [Fact]
    public async Task A_model_that_is_added_has_its_bucket_and_answers_without_a_restart()
    {
        await using var queue = await Start(TestCatalogue.Of(new TestModel("first")));
        Assert.Equal("groq:first", (await queue.Ended(await queue.Ask())).AnsweredModel);

        Write(TestCatalogue.Of(new TestModel("second") { Rpm = 77 }, new TestModel("first")));
        var reloaded = await queue.Event<CatalogueReloaded>(_ => true);

        Assert.Equal(["models added: groq:second", "routes changed", "pools changed"], reloaded.Changes);
        Assert.Equal("groq:second", (await queue.Ended(await queue.Ask())).AnsweredModel);
        Assert.Equal(77, (await queue.Buckets()).Single(b => b.Model == "second").RequestsPerMinute);
        Assert.DoesNotContain(queue.Warnings, w => w.Contains("catalogue", StringComparison.OrdinalIgnoreCase));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Limits_and_prices_count_for_what_is_decided_from_then_on()
    {
        await using var queue = await Start(TestCatalogue.Of(new TestModel("first") { Tpm = 1000, Price = 1 }));
        var before = await queue.Ended(await queue.Ask());

        Write(TestCatalogue.Of(new TestModel("first") { Tpm = 50_000, Price = 3 }));
        await queue.Event<CatalogueReloaded>(e => e.Changes.SequenceEqual(["limits changed: groq:first", "prices changed: groq:first"]));
        // More than the former minute could ever have taken.
        var after = await queue.Ended(await queue.Ask(maxOutputTokens: 5000));

        Assert.Equal(TaskStates.Completed, after.State);
        Assert.Equal(50_000, (await queue.Buckets()).Single().TokensPerMinute);
        Assert.Equal((before.InputTokens + before.OutputTokens) * 1 / 1_000_000m, before.CostUsd);
        Assert.Equal((after.InputTokens + after.OutputTokens) * 3 / 1_000_000m, after.CostUsd);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_file_that_does_not_fit_is_refused_with_its_line_and_the_old_one_stays()
    {
        await using var queue = await Start(TestCatalogue.Of(new TestModel("first")));

        Write("{ \"models\": [\n  { \"id\": \"groq:first\", \"contxt\": 100 } ],\n  \"routes\": [] }");
        var refusal = await Eventually.Found("the file is refused", TimeSpan.FromSeconds(20),
            () => Task.FromResult(queue.Warnings.FirstOrDefault(w => w.Contains("does not fit", StringComparison.Ordinal))));

        Assert.Contains("line 2: 'contxt' is not a property of a model; did you mean 'context'?", refusal, StringComparison.Ordinal);
        Assert.Contains("line 3: 'routes' is empty", refusal, StringComparison.Ordinal);
        Assert.Equal("groq:first", (await queue.Ended(await queue.Ask())).AnsweredModel);
        Assert.Empty(queue.Events<CatalogueReloaded>());

        Write(TestCatalogue.Of(new TestModel("second")));
        await queue.Event<CatalogueReloaded>(_ => true);
        Assert.Equal("groq:second", (await queue.Ended(await queue.Ask())).AnsweredModel);
        // It was looked at many times and said once.
        Assert.Single(queue.Warnings, w => w.Contains("does not fit", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Whoever_stands_in_line_for_a_model_that_was_taken_out_is_routed_again()
    {
        await using var queue = await Start(TestCatalogue.Of(new TestModel("first")),
            new { throttle = new { retryAfterSeconds = 600, window = "TPD" } });
        var waiting = await queue.Ask();
        await queue.InState(waiting, TaskStates.WaitingForCapacity);

        Write(TestCatalogue.Of(new TestModel("second")));
        await queue.Event<CatalogueReloaded>(_ => true);

        Assert.Equal((TaskStates.Completed, "groq:second"),
            await queue.Ended(waiting) is var task ? (task.State, task.AnsweredModel) : default);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_model_that_was_taken_out_is_no_longer_asked_for_by_name()
    {
        await using var queue = await Start(TestCatalogue.Of(new TestModel("first"), new TestModel("second")));

        Write(TestCatalogue.Of(new TestModel("first")));
        await queue.Event<CatalogueReloaded>(_ => true);
        var task = await queue.Ended(await queue.Publish(new LlmTask { Prompt = "Why?", Model = "groq:second", MaxOutputTokens = 10 }));

        Assert.Equal(TaskStates.Rejected, task.State);
        Assert.StartsWith("'groq:second' is not in the catalogue", task.FailureReason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_API_knows_a_model_that_was_added_without_a_restart()
    {
        Write(ApiUnderTest.CatalogueText);
        var database = await (await SharedServers.Postgres).CreateDatabase();
        await using var app = await ApiUnderTest.Start(database, tokens: null,
            new CatalogueFile(CataloguePath) { LookEvery = TimeSpan.FromMilliseconds(50) });
        using var client = ApiUnderTest.Client(app, secret: null);
        async Task<HttpStatusCode> Ask()
        {
            using var answer = await client.PostAsJsonAsync("/v1/tasks", new { prompt = "Why?", model = "groq:added" },
                TestContext.Current.CancellationToken);
            return answer.StatusCode;
        }

        Assert.Equal(HttpStatusCode.BadRequest, await Ask());
        Write(ApiUnderTest.CatalogueText.Replace("\"models\": [\n",
            "\"models\": [ { \"id\": \"groq:added\", \"context\": 8000, \"maxOutput\": 2000 },\n", StringComparison.Ordinal));

        await Eventually.True("the model is known", TimeSpan.FromSeconds(20), async () => await Ask() == HttpStatusCode.Accepted);
    }

    [Fact]
    public void What_has_changed_is_said_and_nothing_else()
    {
        var before = ModelCatalogue.Parse(TestCatalogue.Of(new TestModel("a"), new TestModel("b")), "a.json");

        Assert.Equal(["nothing that counts: comments or spaces"], CatalogueChanges.Between(before,
            ModelCatalogue.Parse("// a comment\n" + TestCatalogue.Of(new TestModel("a"), new TestModel("b")), "b.json")));
        Assert.Equal(["otherwise changed: groq:a"], CatalogueChanges.Between(before,
            ModelCatalogue.Parse(TestCatalogue.Of(new TestModel("a") { Context = 90_000 }, new TestModel("b")), "b.json")));
        Assert.Equal(["models added: groq:c", "models removed: groq:b", "routes changed", "pools changed"],
            CatalogueChanges.Between(before, ModelCatalogue.Parse(TestCatalogue.Of(new TestModel("a"), new TestModel("c")), "b.json")));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private void Write(string json) => File.WriteAllText(CataloguePath, json);

    private async Task<QueueUnderTest> Start(string catalogue, object? faultOfTheFirst = null)
    {
        var simulator = await simulators.Fresh();
        if (faultOfTheFirst is not null)
            await simulator.PostFault(faultOfTheFirst, match: new { model = "first" });
        Write(catalogue);
        return await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = catalogue, ProviderUrl = simulator.BaseUrl,
            CatalogueFile = new CatalogueFile(CataloguePath) { LookEvery = TimeSpan.FromMilliseconds(50) },
        });
    }
}
