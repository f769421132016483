using System.Globalization;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Drain;

/// <summary>What one run came to.</summary>
internal sealed record Figures(TimeSpan Least, TimeSpan Taken, int Calls, int Answered, int Refused, int Deferred, int Downgraded, IReadOnlyDictionary<string, double> ShareUsed, double? PromisesKept)
{
    public double Ratio => Taken / Least;

    public double RefusedShare => (double)Refused / Calls;

    /// <param name="scenario">What was drained.</param>
    /// <param name="taken">From the first task handed in to the last one known to be completed.</param>
    /// <param name="log">What the simulator saw.</param>
    /// <param name="events">Events of the queue by name; a peer has none.</param>
    /// <param name="errors">How wrong the expected times were, as shares of the waits; a peer tells none.</param>
    public static Figures Of(Scenario scenario, TimeSpan taken, IReadOnlyList<SimulatedCall> log, IReadOnlyDictionary<string, int> events, IReadOnlyList<double> errors)
    {
        var answered = log.Where(call => call.Status == 200).ToList();
        var shares = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var bucket in answered.GroupBy(call => (call.Org, call.Model)))
        {
            var limits = scenario.Models.First(model => model.Model == bucket.Key.Model);
            var minutes = 1 + taken.TotalMinutes;
            var share = Math.Max(bucket.Count() / (limits.RequestsPerMinute * minutes), bucket.Sum(call => (double)call.Charged) / (limits.TokensPerMinute * minutes));
            if (limits.TokensPerDay > 0)
                share = Math.Max(share, bucket.Sum(call => (double)call.Charged) / limits.TokensPerDay);
            shares[$"{bucket.Key.Org}/{bucket.Key.Model}"] = share;
        }

        return new Figures(LeastTime.Of(scenario), taken, scenario.Calls.Count, answered.Count, log.Count(call => call.Status is 429 or 413),
            events.GetValueOrDefault("LlmTaskDeferred"), events.GetValueOrDefault("LlmTaskDowngraded"), shares,
            errors.Count == 0 ? null : (double)errors.Count(error => error <= 0.2) / errors.Count);
    }

    /// <summary>Each figure's own median.</summary>
    public static Figures Median(IReadOnlyList<Figures> runs) => runs[0] with
    {
        Taken = TimeSpan.FromSeconds(Middle(runs.Select(run => run.Taken.TotalSeconds))),
        Answered = (int)Middle(runs.Select(run => (double)run.Answered)),
        Refused = (int)Middle(runs.Select(run => (double)run.Refused)),
        Deferred = (int)Middle(runs.Select(run => (double)run.Deferred)),
        Downgraded = (int)Middle(runs.Select(run => (double)run.Downgraded)),
        PromisesKept = runs[0].PromisesKept is null ? null : Middle(runs.Select(run => run.PromisesKept ?? 0)),
        ShareUsed = runs[0].ShareUsed.Keys.ToDictionary(key => key, key => Middle(runs.Select(run => run.ShareUsed.GetValueOrDefault(key)))),
    };

    private static double Middle(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
    }

    public const string Heading = "              least    taken    ratio   refused            deferred downgraded  expected  share of each bucket used                load";

    public string Row(string name, string load) => string.Create(CultureInfo.InvariantCulture,
        $"{name,-12} {Least.TotalSeconds,6:0.0} s {Taken.TotalSeconds,6:0.0} s  {Ratio,6:0.000}  {Refused,6} = {100 * RefusedShare,6:0.00} %  {Deferred,8} {Downgraded,10}  {(PromisesKept is null ? "      -" : $"{100 * PromisesKept:0} %"),8}  {string.Join(' ', ShareUsed.Values.Select(share => $"{100 * share:0} %")),-40} {load}");
}
