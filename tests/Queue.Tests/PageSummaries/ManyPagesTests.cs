using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Tests.Harness;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.PageSummaries;

/// <summary>
/// A whole summary of many pages in a running queue: plan, pages over the pool, merges, synthesis, answer; and what becomes of it when
/// something goes wrong.
/// </summary>
public sealed class ManyPagesTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public async Task Goes_through_plan_pages_merges_synthesis_and_answer_and_tells_who_wrote_what()
    {
        var simulator = await simulators.Fresh();
        using var pages = new PageCounter("groq:third", "groq:fourth");
        // A small context, so that the summaries of all pages do not fit one call and are merged in a tree.
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("third") { Context = 4000, MaxOutput = 2000 },
            new TestModel("fourth") { Context = 4000, MaxOutput = 2000 }));
        var id = await Summarize(queue, 24, "What do the pages say?", Page);

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.Equal(("Completed", false, null), (result.State, result.IsExtract, result.Reason));
        Assert.NotNull(result.Answer);
        Assert.Equal(Enumerable.Range(1, 24), result.Pages.Select(p => p.Number));
        Assert.All(result.Pages, page => Assert.Equal("Completed", page.State));
        Assert.Equal(2, result.Pages.Select(p => p.Model).Distinct().Count());
        var entries = (await queue.History(id)).Select(h => h.Entry).ToList();
        Assert.Equal(["Submitted", "Plan", "Planned", "SummarizePages"], entries.Take(4));
        Assert.Contains("Merge", entries);
        Assert.Equal(["Synthesize", "Answer", "Completed"], entries.TakeLast(3));
        Assert.Equal(24, pages.Total);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task One_page_that_fails_for_good_is_reported_and_does_not_sink_the_rest()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { refused = true }, match: new { contains = "page number 3 " });
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first"), new TestModel("second")));
        var id = await Summarize(queue, 5, null, Page);

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.Equal(("Completed", false), (result.State, result.IsExtract));
        Assert.Equal(["Completed", "Completed", "Failed", "Completed", "Completed"], result.Pages.Select(p => p.State));
        Assert.Null(result.Pages[2].Summary);
        Assert.NotNull(result.Pages[2].Reason);
        Assert.Contains("'Title 3'", result.Reason, StringComparison.Ordinal);
        Assert.NotNull(result.Summary);
    }

    [Fact]
    public async Task Canceling_in_the_middle_ends_the_pages_too()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 3600, window = "TPD" } });
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first")));
        var id = await Summarize(queue, 6, null, Page);
        await Eventually.True("its pages wait", TimeSpan.FromSeconds(20), async () =>
            await queue.Scalar<long>("select count(*) from tasks where summary_id = $1 and state = 'WaitingForCapacity'", id) == 6);

        await queue.Send(new CancelSummary(id));

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);
        Assert.Equal("Canceled", result.State);
        await Eventually.True("every page is canceled", TimeSpan.FromSeconds(20),
            async () => await queue.Scalar<long>("select count(*) from tasks where summary_id = $1 and state = 'Canceled'", id) == 6);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_model_that_fails_gives_way_to_the_others_and_the_attempts_say_so()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { empty = true }, match: new { model = "first" });
        await using var queue = await QueueUnderTest.Start(Setup(simulator, new TestModel("first"), new TestModel("second")));
        var learning = await Summarize(queue, 12, null, Page);
        await queue.Event<PagesSummarized>(e => e.SummaryId == learning);
        var before = (await simulator.Log()).Max(c => c.N);

        var id = await Summarize(queue, 30, null, Page);
        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.All(result.Pages, page => Assert.Equal("groq:second", page.Model));
        var calls = (await simulator.Log(before)).CountBy(c => c.Model).ToDictionary(c => c.Key, c => c.Value);
        Assert.True(calls.GetValueOrDefault("first") <= 3,
            $"{calls.GetValueOrDefault("first")} of 30 pages were still sent to the model that fails");
        Assert.Contains("summary pool",
            await queue.Scalar<string>("select a.why from attempts a join tasks t on t.id = a.task_id where t.summary_id = $1 limit 1", id),
            StringComparison.Ordinal);
    }

    private static PageContent Page(int number) => new()
    {
        Title = $"Title {number}", Text = string.Join(' ', Enumerable.Range(0, 40)
            .Select(i => $"This is sentence {i} of page number {number} and it speaks of matter {(i * 31) + number}.")),
    };

    private static async Task<Guid> Summarize(QueueUnderTest queue, int pages, string? question, Func<int, PageContent> page)
    {
        var id = Guid.CreateVersion7();
        await queue.Services.GetRequiredService<IBus>().Publish(
            new SummarizePages { Id = id, Pages = [.. Enumerable.Range(1, pages).Select(page)], Question = question },
            TestContext.Current.CancellationToken);
        return id;
    }

    private static QueueSetup Setup(SimulatorProcess simulator, params TestModel[] models) =>
        new() { Catalogue = TestCatalogue.Of(models), ProviderUrl = simulator.BaseUrl };

    /// <summary>What the queue's own metric says of pages.</summary>
    private sealed class PageCounter : IDisposable
    {
        private readonly MeterListener listener = new();
        private readonly ConcurrentQueue<long> counted = new();

        public PageCounter(params string[] models)
        {
            listener.InstrumentPublished = (instrument, on) =>
            {
                if (instrument.Meter.Name == QueueMetrics.MeterName && instrument.Name == "llmqueue.summary.pages")
                    on.EnableMeasurementEvents(instrument);
            };
            listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
            {
                // Other tests' summaries are counted on the same meter.
                if (models.Contains((string?)tags[0].Value))
                    counted.Enqueue(value);
            });
            listener.Start();
        }

        public long Total => counted.Sum();

        public void Dispose() => listener.Dispose();
    }
}
