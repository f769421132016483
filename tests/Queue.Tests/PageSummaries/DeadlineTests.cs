using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.PageSummaries;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.PageSummaries;

/// <summary>A summary with a deadline has its result before it, whatever the providers do, and says what no model wrote.</summary>
public sealed class DeadlineTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Prose = "A heat pump moves heat from the ground into a house. Heat pumps need electricity, "
        + "and the price of electricity decides whether heat pumps pay. Somebody had left an umbrella in the hall.";

    [Fact]
    public async Task With_every_provider_closed_there_are_extracts_in_time_and_they_are_marked()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 3600, window = "TPD" } });
        await using var queue = await QueueUnderTest.Start(Setup(simulator));
        var id = await Summarize(queue, TimeSpan.FromSeconds(8), "When do heat pumps pay?", Page("One", Prose),
            Page("Two", "Der Preis für Strom entscheidet, ob sich eine Wärmepumpe lohnt. Der Strom ist teuer."));

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        var row = await Row(queue, id);
        Assert.InRange(result.At.UtcDateTime, row.SubmittedAt, row.Deadline!.Value);
        Assert.Equal(("Completed", true, null), (result.State, result.IsExtract, result.Answer));
        Assert.Contains("the price of electricity decides whether heat pumps pay", result.Summary, StringComparison.Ordinal);
        Assert.Contains("was near", result.Reason, StringComparison.Ordinal);
        Assert.Contains("2 of 2 pages are extracts", result.Reason, StringComparison.Ordinal);
        Assert.All(result.Pages, page => Assert.Equal(("Extracted", (string?)null), (page.State, page.Model)));
        Assert.Equal(["One", "Two"], result.Pages.Select(p => p.Title));
        Assert.Contains("Wärmepumpe lohnt", result.Pages[1].Summary, StringComparison.Ordinal);
        Assert.Contains((await queue.History(id)), h => h.Entry == "Extracted");
        // Nothing of it goes on.
        await Eventually.True("its tasks have ended", TimeSpan.FromSeconds(10),
            async () => await queue.Scalar<long>("select count(*) from tasks where summary_id = $1 and ended_at is null", id) == 0);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_provider_that_hangs_holds_up_only_its_own_pages()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { hang = true }, match: new { contains = "umbrella" });
        await using var queue = await QueueUnderTest.Start(Setup(simulator));
        var id = await Summarize(queue, TimeSpan.FromSeconds(6), null,
            Page("One", "The queue keeps every task as a row. Messages ring a bell for whoever works on it."), Page("Two", Prose));

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.True(result.At < (await Row(queue, id)).Deadline, $"{result.At} is after the deadline");
        Assert.Equal(["Completed", "Extracted"], result.Pages.Select(p => p.State));
        Assert.StartsWith("[answer to", result.Pages[0].Summary, StringComparison.Ordinal);
        Assert.Contains("the deadline was near", result.Pages[1].Reason, StringComparison.Ordinal);
        Assert.True(result.IsExtract);
        await simulator.Reset();
    }

    [Fact]
    public async Task Pages_that_wait_give_way_early_enough_for_a_model_to_write_the_whole()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(Setup(simulator) with
        {
            // Two models for pages, both closed; the one that writes the whole is free.
            Catalogue = """
                { "models": [ { "id": "groq:small", "context": 100000, "maxOutput": 8000, "price": { "inputUsdPerMillion": 1, "outputUsdPerMillion": 1 } },
                    { "id": "groq:large", "context": 100000, "maxOutput": 8000, "price": { "inputUsdPerMillion": 1, "outputUsdPerMillion": 1 } } ],
                  "routes": [ { "task": "any", "complexity": "any", "models": ["groq:large"] } ], "pools": { "summary": ["groq:small"], "synthesis": ["groq:large"] } }
                """,
        });
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 3600, window = "TPD" } }, match: new { model = "small" });
        var id = await Summarize(queue, TimeSpan.FromSeconds(15), null, Page("One", Prose), Page("Two", Prose));
        await Eventually.True("its pages wait", TimeSpan.FromSeconds(10), async () =>
            await queue.Scalar<long>("select count(*) from tasks where summary_id = $1 and state = 'WaitingForCapacity'", id) == 2);
        var deadline = DeadlineRule.FinishBy(await Row(queue, id));
        // Their own deadline comes before the summary's; the sweep that finds it is the Rescuer's, rung here as it rings.
        var pages = await queue.Read(
            db => Task.FromResult(db.Tasks.Where(t => t.SummaryId == id).Select(t => new { t.CorrelationId, t.Deadline }).ToList()));
        Assert.All(pages, page => Assert.True(page.Deadline < deadline));
        await queue.Send([.. pages.Select(p => new DeadlinePassed(p.CorrelationId))]);

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.Equal(["Extracted", "Extracted"], result.Pages.Select(p => p.State));
        Assert.Contains("no model had room for it in time", result.Pages[0].Reason, StringComparison.Ordinal);
        Assert.Equal(("Completed", false), (result.State, result.IsExtract));
        Assert.StartsWith("[answer to", result.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_every_model_gone_the_pages_are_extracts_and_nobody_waits_for_a_deadline()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { modelGone = true });
        await using var queue = await QueueUnderTest.Start(Setup(simulator));
        var id = await Summarize(queue, null, null, Page("One", Prose));

        var result = await queue.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.Equal(("Completed", true, "Extracted"), (result.State, result.IsExtract, Assert.Single(result.Pages).State));
        Assert.Contains("no model of the pool is left", result.Pages[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restart_shortly_before_the_deadline_loses_nothing()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 3600, window = "TPD" } });
        var setup = Setup(simulator) with { Upkeep = true };
        Guid id;
        await using (var before = await QueueUnderTest.Start(setup))
        {
            id = await Summarize(before, TimeSpan.FromSeconds(15), null, Page("One", Prose));
            await Eventually.True("its page waits", TimeSpan.FromSeconds(10), async () =>
                await before.Scalar<long>("select count(*) from tasks where summary_id = $1 and state = 'WaitingForCapacity'", id) == 1);
            setup = setup with { Database = before.Database };
        }

        await using var after = await QueueUnderTest.Start(setup);
        var result = await after.Event<PagesSummarized>(e => e.SummaryId == id);

        Assert.True(result.At < (await Row(after, id)).Deadline, $"{result.At} is after the deadline");
        Assert.Equal("Extracted", Assert.Single(result.Pages).State);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(60)]
    [InlineData(36_000)]
    public void Time_is_divided_so_that_each_stage_leaves_some_to_those_after_it(int seconds)
    {
        var now = new DateTime(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
        var summary = new SummaryRow { SubmittedAt = now, Deadline = now.AddSeconds(seconds), Question = "Why?", Pages = 10 };
        var ends = new[] { SummaryRoles.Plan, SummaryRoles.Page, SummaryRoles.Merge, SummaryRoles.Synthesis, SummaryRoles.Answer }
            .Select(role => DeadlineRule.StageEnd(summary, role, now)!.Value).ToList();

        Assert.All(ends, end => Assert.InRange(end, now.AddTicks(1), DeadlineRule.FinishBy(summary)!.Value));
        Assert.True(DeadlineRule.FinishBy(summary) < summary.Deadline);
        if (seconds > 10)
            Assert.Equal(ends.Order(), ends);
        Assert.Null(DeadlineRule.FinishBy(new SummaryRow { SubmittedAt = now }));
    }

    private static QueueSetup Setup(SimulatorProcess simulator) =>
        new() { Catalogue = TestCatalogue.Of(new TestModel("first"), new TestModel("second")), ProviderUrl = simulator.BaseUrl };

    private static PageContent Page(string title, string text) => new() { Title = title, Text = text };

    private static async Task<Guid> Summarize(QueueUnderTest queue, TimeSpan? within, string? question, params PageContent[] pages)
    {
        var id = Guid.CreateVersion7();
        await queue.Services.GetRequiredService<IBus>().Publish(new SummarizePages
        {
            Id = id, Pages = pages, Question = question, Deadline = within is { } time ? TimeProvider.System.GetUtcNow() + time : null,
        }, TestContext.Current.CancellationToken);
        return id;
    }

    private static Task<SummaryRow> Row(QueueUnderTest queue, Guid id) =>
        queue.Read(db => Task.FromResult(db.Summaries.Single(s => s.CorrelationId == id)));
}
