using System.Diagnostics.Metrics;
using LlmQueue.Catalogue;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Tests.Admission;
using LlmQueue.Worker.Estimation;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Estimation;

/// <summary>What answers teach about the next call.</summary>
public sealed class LearnedEstimateTests
{
    private static readonly ModelEntry CountsWhatIsUsed = new()
    {
        Id = new ModelId("anthropic", "counts-what-is-used"), Context = 100_000, MaxOutput = 8000, ChargesMaxOutput = false,
    };
    private static readonly ModelEntry ChargesTheLongest = CountsWhatIsUsed with
    {
        Id = new ModelId("groq", "charges-the-longest"), ChargesMaxOutput = true,
    };

    [Fact]
    public async Task What_such_tasks_really_use_is_reserved_where_the_provider_counts_no_more()
    {
        await using var admission = await AdmissionUnderTest.Start("{}");
        var estimates = admission.Services.GetRequiredService<CallEstimates>();
        for (var i = 0; i < OutputUses.Enough; i++)
        {
            Assert.True(estimates.Demand(CountsWhatIsUsed, "question", 100, 4000).Tokens >= 4100, "too early to know");
            estimates.Learn(CountsWhatIsUsed.Id.ToString(), "question", 100, 100, 50 + (10 * (i % 5)));
            estimates.Learn(ChargesTheLongest.Id.ToString(), "question", 100, 100, 60);
        }

        // Mean 70, two deviations of 14.1 above it.
        Assert.Equal(100 + 99, estimates.Demand(CountsWhatIsUsed, "question", 100, 4000).Tokens);
        Assert.Equal(100 + 80, estimates.Demand(CountsWhatIsUsed, "question", 100, 80).Tokens);
        Assert.Equal(100 + 4000, estimates.Demand(CountsWhatIsUsed, "code", 100, 4000).Tokens);
        Assert.Equal(100 + 4000, estimates.Demand(ChargesTheLongest, "question", 100, 4000).Tokens);
    }

    [Fact]
    public async Task Money_is_reserved_for_the_longest_answer_whatever_was_learned()
    {
        await using var admission = await AdmissionUnderTest.Start("{}");
        var estimates = admission.Services.GetRequiredService<CallEstimates>();
        var priced = CountsWhatIsUsed with { Price = new ModelPrice(0, 10) };
        for (var i = 0; i < OutputUses.Enough; i++)
            estimates.Learn(priced.Id.ToString(), "question", 100, 100, 10);

        Assert.Equal(0.04m, estimates.MostUsd(priced, 100, 4000));
    }

    [Fact]
    public async Task Workers_learn_from_each_other_and_a_restart_forgets_nothing()
    {
        await using var admission = await AdmissionUnderTest.Start("{}");
        SharedSums Worker() => new(admission.Database, "output_uses", ["n", "t", "tt"], fading: 1000);
        var (one, other) = (Worker(), Worker());
        one.Add("model|kind", 1, 60, 3600);
        other.Add("model|kind", 1, 40, 1600);
        await one.Share(TestContext.Current.CancellationToken);
        await other.Share(TestContext.Current.CancellationToken);
        // Nothing is given twice.
        await other.Share(TestContext.Current.CancellationToken);

        var afterRestart = Worker();
        await afterRestart.Load(TestContext.Current.CancellationToken);

        Assert.Equal([2, 100, 5200], other.Of("model|kind")!);
        Assert.Equal([2, 100, 5200], afterRestart.Of("model|kind")!);
        Assert.Null(afterRestart.Of("another|kind"));
    }

    [Fact]
    public async Task What_is_old_fades()
    {
        await using var admission = await AdmissionUnderTest.Start("{}");
        var sums = new SharedSums(admission.Database, "output_uses", ["n", "t", "tt"], fading: 10);
        for (var i = 0; i < 5; i++)
            sums.Add("model|kind", 2, 200, 20_000);
        await sums.Share(TestContext.Current.CancellationToken);
        sums.Add("model|kind", 2, 20, 200);
        await sums.Share(TestContext.Current.CancellationToken);

        Assert.Equal([6, 510, 50_100], sums.Of("model|kind")!);
    }

    [Fact]
    public async Task The_errors_of_estimates_are_told_as_p50_and_p95()
    {
        await using var admission = await AdmissionUnderTest.Start("{}");
        var estimates = admission.Services.GetRequiredService<CallEstimates>();
        // Uncalibrated, 100 units are 115 tokens: 18 counts of 115, 2 of 230.
        for (var i = 0; i < 20; i++)
            estimates.Learn("groq:erring", null, 1000, i < 18 ? 1150 : 2300, 1);

        var told = new Dictionary<string, double>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == QueueMetrics.MeterName) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag.Value is "groq:erring")
                    told[instrument.Name] = value;
        });
        listener.Start();
        listener.RecordObservableInstruments();

        // The fit follows what is counted, so the estimate of all but the first is near.
        Assert.InRange(told["llmqueue.token_estimate.error.p50"], 0, 0.16);
        Assert.InRange(told["llmqueue.token_estimate.error.p95"], 0.3, 0.6);
    }
}
