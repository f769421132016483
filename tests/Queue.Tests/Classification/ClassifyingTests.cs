using System.Diagnostics.Metrics;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Classification;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Classification;

/// <summary>
/// Stage 0 as the whole queue does it: rules, what is known of the prompt, the small model with its packs, the default route.
/// </summary>
public sealed class ClassifyingTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const int Many = 64;

    // No rule says anything about it, and neither does the simulated model with much confidence.
    private const string Unclear = "Hm, and then? Number";

    [Fact]
    public async Task Questions_of_the_same_moment_share_calls_and_each_task_hears_its_own_answer()
    {
        var simulator = await simulators.Fresh();
        long joined = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Name == "llmqueue.classifier.packed") l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref joined, count));
        listener.Start();
        await using var queue = await Start(simulator);

        var ids = await Task.WhenAll(
            Enumerable.Range(0, Many).Select(i => queue.Publish(new LlmTask { Prompt = $"{Unclear} {i}", MaxOutputTokens = 20 })));
        foreach (var id in ids)
            Assert.Equal(TaskStates.Completed, (await queue.Ended(id)).State);

        var calls = (await simulator.Log()).Count(c => c.Model == "small");
        TestContext.Current.TestOutputHelper?.WriteLine($"{Many} questions, {calls} calls.");
        Assert.InRange(calls, Many / 16, Many / 2);
        var attempts = (await queue.Read(db => Task.FromResult(db.Attempts.ToList()))).Where(a => a.Model == "groq:small").ToList();
        Assert.Equal(Many, attempts.Count);
        Assert.All(attempts, a => Assert.Equal("answered", a.Outcome));
        // At least: other tests count in this process as well.
        Assert.InRange(Interlocked.Read(ref joined), Many - calls, long.MaxValue);
        // One request a call, and the tokens of each call on the tasks it answered.
        var bucket = (await queue.Buckets()).Single(b => b.Model == "small");
        Assert.Equal(calls, bucket.SettledRequests);
        Assert.Equal((await simulator.Log()).Where(c => c.Model == "small").Sum(c => (long)c.PromptTokens + c.CompletionTokens),
            attempts.Sum(a => a.InputTokens + a.OutputTokens));
        Assert.Equal(Many, (await queue.Read(db => Task.FromResult(db.Tasks.ToList()))).Count(t => t.ClassifiedBy == "model"));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task With_a_single_request_left_a_burst_is_classified_all_the_same()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, new TestModel("small") { Rpm = 16 });

        var ids = await Task.WhenAll(
            Enumerable.Range(0, Many).Select(i => queue.Publish(new LlmTask { Prompt = $"{Unclear} {i}", MaxOutputTokens = 20 })));
        foreach (var id in ids)
            await queue.Ended(id);

        var bucket = (await queue.Buckets()).Single(b => b.Model == "small");
        Assert.InRange(bucket.ReservedRequests, 1, 16);
        var by = (await queue.Read(db => Task.FromResult(db.Tasks.ToList()))).CountBy(t => t.ClassifiedBy ?? "")
            .ToDictionary(p => p.Key, p => p.Value);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", by));
        // More than there were requests; who found no room took the default route and did not wait.
        Assert.True(by.GetValueOrDefault("model") > 16, string.Join(", ", by));
        Assert.Equal(Many, by.GetValueOrDefault("model") + by.GetValueOrDefault("default"));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task What_was_said_of_a_prompt_is_not_asked_again_and_outlives_the_process()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        var first = await queue.Ended(await queue.Publish(new LlmTask { Prompt = Unclear }));

        var second = await queue.Ended(await queue.Publish(new LlmTask { Prompt = Unclear }));
        await Eventually.True("it is in the table", TimeSpan.FromSeconds(20),
            async () => await queue.Scalar<long>("select count(*) from classifications") == 1);
        await queue.Stop();
        await using var other = await Start(simulator, database: queue.Database);
        var third = await other.Ended(await other.Publish(new LlmTask { Prompt = Unclear }));

        Assert.Equal(("model", "cache", "cache"), (first.ClassifiedBy, second.ClassifiedBy, third.ClassifiedBy));
        Assert.All([second, third],
            task => Assert.Equal((first.Kind, first.Complexity, first.Confidence), (task.Kind, task.Complexity, task.Confidence)));
        Assert.Single(await simulator.Log(), c => c.Model == "small");
        Assert.Equal(["Submitted", "Classified", "Calling", "Completed"], (await other.History(third.CorrelationId)).Select(h => h.Entry));
    }

    [Fact]
    public async Task A_failure_is_never_remembered()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { garbage = true }, times: 1, match: new { model = "small" });
        await using var queue = await Start(simulator);

        var first = await queue.Ended(await queue.Publish(new LlmTask { Prompt = Unclear }));
        var second = await queue.Ended(await queue.Publish(new LlmTask { Prompt = Unclear }));

        Assert.Equal(("default", "model"), (first.ClassifiedBy, second.ClassifiedBy));
    }

    [Fact]
    public async Task Workers_learn_of_each_other_what_was_said_also_where_nothing_has_been_said_before()
    {
        var simulator = await simulators.Fresh();
        await using var one = await Start(simulator);
        await using var other = await Start(simulator, database: one.Database);
        var (mine, theirs) = (one.Services.GetRequiredService<ClassificationCache>(),
            other.Services.GetRequiredService<ClassificationCache>());

        // The table is empty: whoever looks there for what is new finds nothing, and goes on.
        Assert.Null(theirs.Find("a1"));
        await theirs.Share(TestContext.Current.CancellationToken);
        mine.Keep("a1", new LlmQueue.Worker.Classification.Classification("code", "low", 0.9, Stages.Model),
            TimeProvider.System.GetUtcNow().UtcDateTime);
        await mine.Share(TestContext.Current.CancellationToken);
        Assert.Null(theirs.Find("a1"));
        await theirs.Share(TestContext.Current.CancellationToken);

        Assert.Equal(("code", Stages.Cache), (theirs.Find("a1")?.Kind, theirs.Find("a1")?.By));
    }

    [Theory]
    [InlineData("""{ "hang": true }""")]
    [InlineData("""{ "garbage": true }""")]
    [InlineData("""{ "refused": true }""")]
    [InlineData("""{ "status": 400 }""")]
    [InlineData("""{ "throttle": { "retryAfterSeconds": 600, "window": "TPM" } }""")]
    public async Task A_small_model_that_does_not_answer_in_its_time_or_says_nonsense_leaves_the_default_route(string fault)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(System.Text.Json.JsonDocument.Parse(fault).RootElement, match: new { model = "small" });
        await using var queue = await Start(simulator);

        var task = await queue.Ended(await queue.Publish(new LlmTask { Prompt = Unclear }));

        // Twenty seconds is what a call may take; this one has a time of its own.
        Assert.Equal((TaskStates.Completed, "default", "general", "groq:first", 0),
            (task.State, task.ClassifiedBy, task.Kind, task.AnsweredModel, task.Faults));
        Assert.StartsWith("any/any; default said general, medium", task.Route.Rule, StringComparison.Ordinal);
        await simulator.Reset();
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_pack_whose_worker_died_in_the_middle_is_finished_by_another()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { hang = true }, match: new { model = "small" });
        await using var queue = await Start(simulator,
            options: new WorkerOptions { ClassifierTimeout = TimeSpan.FromMinutes(5), RescueEvery = TimeSpan.FromMilliseconds(500) });
        var ids = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(i => queue.Publish(new LlmTask { Prompt = $"{Unclear} {i}", MaxOutputTokens = 20 })));
        IReadOnlyList<TaskRow> hanging = [];
        await Eventually.True("every question hangs, in however many packs", TimeSpan.FromSeconds(20), async () =>
        {
            hanging = await queue.Read(db => Task.FromResult(db.Tasks.Where(t => t.State == TaskStates.Classifying).ToList()));
            return hanging.Count == ids.Length && (await simulator.Statistics()).InFlight > 0;
        });

        // They belong to a worker that is no more: whoever holds their lease says so.
        await queue.Send([.. hanging.Select(t => new LeaseExpired(t.CorrelationId, t.Attempt))]);
        foreach (var id in ids)
            Assert.Equal(TaskStates.Completed, (await queue.Ended(id)).State);

        Assert.All(await queue.Read(db => Task.FromResult(db.Tasks.ToList())), task => Assert.Equal("default", task.ClassifiedBy));
        // The late answer changes nothing.
        await simulator.Reset();
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Who_is_unsure_gets_the_chain_of_the_last_row_as_well()
    {
        var simulator = await simulators.Fresh();
        const string catalogue = """
            { "models": [ { "id": "groq:small", "context": 100000, "maxOutput": 2000 }, { "id": "groq:first", "context": 100000, "maxOutput": 2000 }, { "id": "groq:second", "context": 100000, "maxOutput": 2000 } ],
              "routes": [ { "name": "code", "task": "code", "complexity": "any", "models": ["groq:first"] }, { "name": "rest", "task": "any", "complexity": "any", "models": ["groq:second"] } ], "classifier": ["groq:small"] }
            """;
        await using var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = catalogue, ProviderUrl = simulator.BaseUrl });

        // A strong word for one kind far from the beginning, a weak one for another: the rules speak, and not loudly.
        var task = await queue.Ended(await queue.Publish(new LlmTask
        {
            Prompt =
                "Whenever you find the time this week and nothing else is more important to you, refactor it; the trends stay as they are.",
            MaxOutputTokens = 20,
        }));

        Assert.Equal("code", task.Kind);
        Assert.True(task.Confidence < 0.7, $"{task.ClassifiedBy} is {task.Confidence} sure");
        Assert.Equal(["groq:first", "groq:second"], task.Route.Chain!.Names);
        Assert.StartsWith("code, widened by rest; ", task.Route.Rule, StringComparison.Ordinal);
        Assert.Equal(task.Route.Rule, (await queue.Attempts(task.CorrelationId))[^1].Why);
    }

    [Fact]
    public async Task Who_decided_is_counted_with_where_the_task_went_and_where_it_would_have_gone()
    {
        var simulator = await simulators.Fresh();
        // Names of its own: other tests count in this process as well.
        const string catalogue = """
            { "models": [ { "id": "groq:dear-counted", "context": 100000, "maxOutput": 2000 }, { "id": "groq:cheap-counted", "context": 100000, "maxOutput": 2000 } ],
              "routes": [ { "name": "code", "task": "code", "complexity": "any", "models": ["groq:dear-counted"] }, { "name": "rest", "task": "any", "complexity": "any", "models": ["groq:cheap-counted"] } ] }
            """;
        var counted = new System.Collections.Concurrent.ConcurrentBag<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) => { if (instrument.Name == "llmqueue.routed") l.EnableMeasurementEvents(instrument); },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => counted.Add(string.Join(' ', tags.ToArray().Select(t => t.Value))));
        listener.Start();
        await using var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = catalogue, ProviderUrl = simulator.BaseUrl });

        await queue.Ended(await queue.Publish(new LlmTask { Prompt = "Why?", Kind = "code", Complexity = "high", MaxOutputTokens = 20 }));
        await queue.Ended(await queue.Publish(new LlmTask
        {
            Prompt = "Refactor this function and write a unit test for it:\n```csharp\npublic int Sum(int a, int b) => a + b;\n```",
            MaxOutputTokens = 20,
        }));

        Assert.Equal(["producer groq:dear-counted groq:dear-counted", "rules groq:dear-counted groq:cheap-counted"],
            counted.Where(c => c.Contains("-counted", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    private static Task<QueueUnderTest> Start(
        SimulatorProcess simulator, TestModel? small = null, string? database = null, WorkerOptions? options = null) =>
        QueueUnderTest.Start(new QueueSetup
    {
        // Nobody but the questions goes to the small one.
        Catalogue = TestCatalogue.Of(new TestModel("first"), small ?? new TestModel("small"))
            .Replace("\"models\":[\"groq:first\",\"groq:small\"]", "\"models\":[\"groq:first\"]", StringComparison.Ordinal)
            .Replace("\"routes\"", "\"classifier\":[\"groq:small\"],\"routes\"", StringComparison.Ordinal),
        ProviderUrl = simulator.BaseUrl, Database = database,
        Options = options
            ?? new WorkerOptions
            {
                CallTimeout = TimeSpan.FromSeconds(20), ClassifierTimeout = TimeSpan.FromSeconds(1),
                RescueEvery = TimeSpan.FromMilliseconds(500),
            },
    });
}
