using LlmQueue.Storage.Rankings;

namespace LlmQueue.Worker.Ranking;

/// <summary>A model of a pool, with what is known of it.</summary>
/// <param name="Id">As provider:model.</param>
/// <param name="UsdPerMillion">Its price for a million tokens of input and output together; null is unknown.</param>
/// <param name="TokensPerMinute">Its limit; null is none.</param>
/// <param name="Runs">Its page summaries so far.</param>
public sealed record PoolModel(string Id, decimal? UsdPerMillion, double? TokensPerMinute, ModelRuns Runs);

/// <summary>The weight of a model for a page, against an equally empty one: 1 is usual.</summary>
/// <param name="Weight">What its free share is multiplied with. Never 0: nobody is banned, and whoever alone has room is used.</param>
/// <param name="Why">Why it is not 1; null when it is.</param>
public sealed record PoolWeight(double Weight, string? Why);

/// <summary>
/// Weights the models of a pool for a page: simple pages prefer those that cost least for what they can take in a minute, dense ones the
/// dearest, for want of a better measure of strength; a model that answers late or not at all gives way. It only chooses among open
/// buckets, so a backlog uses every one of them whatever their weights. Pure.
/// </summary>
public static class PoolRule
{
    /// <summary>Above this share of faults a model gives way.</summary>
    public const double MostFaults = 0.01;

    /// <summary>Above this time for an answer a model gives way.</summary>
    public const double MostSeconds = 2;

    /// <summary>Runs of good faith: a model is forgiven as its runs fade, because what is known of it is weighed against these.</summary>
    private const double GoodFaith = 3;
    private const double LeastWeight = 0.05;

    /// <summary>What a page takes off from the model that suits it least.</summary>
    private const double Unsuited = 0.5;

    public static IReadOnlyDictionary<string, PoolWeight> Weights(IReadOnlyList<PoolModel> pool, string? complexity)
    {
        var suits = complexity switch
        {
            "low" => Suiting(pool, m => -CostForThroughput(m)),
            "high" => Suiting(pool, m => (double)(m.UsdPerMillion ?? 0)),
            _ => null,
        };
        return pool.DistinctBy(m => m.Id)
            .ToDictionary(m => m.Id, m => Weigh(m, suits is null ? null : (suits[m.Id], complexity!)), StringComparer.Ordinal);
    }

    private static PoolWeight Weigh(PoolModel model, (double Fit, string Complexity)? page)
    {
        var (weight, why) = (1.0, new List<string>());
        var runs = model.Runs;
        var faults = (runs.Weight - runs.Successes) / (runs.Weight + GoodFaith);
        if (faults > MostFaults)
        {
            weight *= MostFaults / faults;
            why.Add($"gives way: {faults:P0} of its pages met a fault");
        }

        // Towards good faith as its answers fade.
        var seconds = (runs.Seconds + (GoodFaith * MostSeconds / 2)) / (runs.Successes + GoodFaith);
        if (seconds > MostSeconds)
        {
            weight *= MostSeconds / seconds;
            why.Add($"gives way: {seconds:0.0} s for a page");
        }

        if (page is { } wanted)
        {
            weight *= 1 - (Unsuited * (1 - wanted.Fit));
            why.Add(wanted.Complexity == "low"
                ? $"a simple page, cheap and roomy models first (this one {wanted.Fit:P0})"
                : $"a dense page, strong models first (this one {wanted.Fit:P0})");
        }

        return new PoolWeight(Math.Max(LeastWeight, weight), why.Count == 0 ? null : string.Join("; ", why));
    }

    /// <summary>1 for the most suited, 0 for the least, the others by their place; all alike are all suited.</summary>
    private static Dictionary<string, double> Suiting(IReadOnlyList<PoolModel> pool, Func<PoolModel, double> measure)
    {
        var steps = pool.Select(measure).Distinct().Order().ToList();
        return pool.DistinctBy(m => m.Id).ToDictionary(m => m.Id,
            m => steps.Count < 2 ? 1 : (double)steps.IndexOf(measure(m)) / (steps.Count - 1), StringComparer.Ordinal);
    }

    /// <summary>
    /// US dollars for a million tokens, by how many tokens a minute it takes: cheap and roomy is low. An unknown price is
    /// taken for a dear one.
    /// </summary>
    private static double CostForThroughput(PoolModel model) => (double)(model.UsdPerMillion ?? 100) / (model.TokensPerMinute ?? 1e7);
}
