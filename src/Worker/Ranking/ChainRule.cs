using LlmQueue.Storage.Rankings;

namespace LlmQueue.Worker.Ranking;

/// <summary>A chain after ordering.</summary>
/// <param name="Models">The same models, in another order or not.</param>
/// <param name="Why">In which words it is told; null where the route's order stands because nothing is learned.</param>
public sealed record OrderedChain(IReadOnlyList<string> Models, string? Why);

/// <summary>
/// Puts a route's models in order of what their runs are worth. The best goes first; the others are still asked: one turn in twenty goes to
/// one of them, and every score is drawn from within its doubt, so that a close second, or one not heard of for long, comes first now and
/// then (Thompson sampling with fading sums). Money counts: a dearer model has to be better by as much as it is dearer, and is asked for
/// knowledge's sake only where that costs little; else it earns its runs where the first choice has no room. Pure.
/// </summary>
public static class ChainRule
{
    /// <summary>The share of turns that goes to any of the others, whatever their scores.</summary>
    private const double OthersSampled = 0.05;

    /// <summary>The share of turns that goes to a model with fewer runs than are needed to judge it, while there is one.</summary>
    private const double UnjudgedSampled = 0.2;

    /// <summary>
    /// How far a score is drawn from its mean, in standard deviations of its success rate. More samples more and decides later.
    /// </summary>
    private const double Width = 0.75;

    /// <summary>Scores nearer than this are equal: the route's order stands, which its author had reasons for.</summary>
    private const double Equal = 0.02;

    /// <summary>Who costs more than so many times what the first choice does is not asked for the sake of knowledge.</summary>
    private const double DearestSampled = 2;

    /// <summary>
    /// By how much a model must be better for each doubling of the price, and the most that price can cost it: a model that fails half the
    /// time is left at any price.
    /// </summary>
    private const double LeadPerDoubling = 0.04, MostLead = 0.20;

    /// <param name="chain">The route's models, in its order.</param>
    /// <param name="known">What their runs have taught; models that are not in the chain are left aside.</param>
    /// <param name="samples">False for what has much at stake: it is given the best known, and no experiment.</param>
    /// <param name="dice">Random numbers in [0, 1).</param>
    /// <param name="prices">What the task would cost with each of the chain, null where that is unknown; left out: the
    /// same everywhere.</param>
    public static OrderedChain Decide(
        IReadOnlyList<string> chain, IReadOnlyCollection<ModelRuns> known, bool samples, Func<double> dice,
        IReadOnlyList<decimal?>? prices = null)
    {
        var dearness = Dearness(chain, prices);
        var runs = chain.Select(id => known.FirstOrDefault(m => m.Model == id) ?? ModelRuns.None(id)).ToList();
        if (chain.Count < 2 || runs.Sum(m => m.Runs) < RankingRule.LeastRuns)
            return new OrderedChain(chain, null);
        var scored = runs.Select((m, i) => (Runs: m, Score: RankingRule.Score(m, runs) - LeadOf(dearness[i]))).ToList();
        var best = Best(scored);
        var sampled = Enumerable.Range(0, chain.Count).Where(i => dearness[i] <= DearestSampled).ToList();
        var unjudged = sampled.FindIndex(i => scored[i].Score is null) is >= 0 and var at ? sampled[at] : -1;
        if (samples && unjudged >= 0 && dice() < UnjudgedSampled)
            return First(chain, unjudged,
                $"sampled: it has {runs[unjudged].Runs} of the {RankingRule.LeastRunsOfModel} runs that it takes to judge it");
        if (best is not { } first)
            return new OrderedChain(chain, null);
        var (taken, why) = (first, Words(scored, first));
        if (samples)
        {
            var others = sampled.FindAll(i => i != first);
            if (others.Count > 0 && dice() < OthersSampled)
                taken = others[(int)(dice() * others.Count)];
            else
                taken = Best(scored.ConvertAll(s => (s.Runs, s.Score is { } score ? score + (Doubt(s.Runs) * Gauss(dice)) : (double?)null)))
                    ?? first;
        }

        if (taken != first)
            why = $"sampled: {scored[taken].Score ?? 0:0.00} where {chain[first]} has {scored[first].Score:0.00}, "
                + $"over {scored[taken].Runs.Runs} runs of its own";
        if (scored.Where((s, i) => s.Score is not null && dearness[i] > 1).Any())
            why += ", prices weighed";
        return First([.. Ranked(chain, scored)], chain, taken, why);
    }

    /// <summary>The first in the chain of those that none is better than by more than a hair.</summary>
    private static int? Best(List<(ModelRuns Runs, double? Score)> scored)
    {
        var highest = scored.Max(s => s.Score);
        return highest is null ? null : scored.FindIndex(s => s.Score >= highest - Equal);
    }

    /// <summary>The judged by score, the others where the route has them: after the first, before nobody better.</summary>
    private static IEnumerable<string> Ranked(IReadOnlyList<string> chain, List<(ModelRuns Runs, double? Score)> scored)
    {
        var judged = Enumerable.Range(0, chain.Count).Where(i => scored[i].Score is not null)
            .OrderByDescending(i => Math.Round(scored[i].Score!.Value / Equal)).ThenBy(i => i).ToList();
        var turn = 0;
        return [.. Enumerable.Range(0, chain.Count).Select(i => scored[i].Score is null ? chain[i] : chain[judged[turn++]])];
    }

    /// <summary>
    /// How many times as much as the first choice each costs, at least 1; who costs nobody knows what is as dear as the dearest.
    /// </summary>
    private static double[] Dearness(IReadOnlyList<string> chain, IReadOnlyList<decimal?>? prices)
    {
        if (prices?[0] is not { } own)
            return [.. chain.Select(_ => 1.0)];
        var unknown = prices.Max() ?? own;
        return [.. prices.Select(
            price => (price ?? unknown) <= own ? 1 : own == 0 ? double.PositiveInfinity : (double)((price ?? unknown) / own))];
    }

    private static double LeadOf(double dearness) => Math.Min(MostLead, LeadPerDoubling * Math.Log2(dearness));

    private static OrderedChain First(IReadOnlyList<string> chain, int first, string why) => First([.. chain], chain, first, why);

    private static OrderedChain First(List<string> order, IReadOnlyList<string> chain, int first, string why) =>
        new([chain[first], .. order.Where(id => id != chain[first])], why);

    private static string Words(List<(ModelRuns Runs, double? Score)> scored, int first)
    {
        var second = scored.Where((_, i) => i != first).Max(s => s.Score);
        return $"ranking: {scored[first].Score:0.00}{(second is { } other ? $" vs {other:0.00}" : "")} over "
            + $"{scored.Sum(s => s.Runs.Runs)} runs";
    }

    /// <summary>What is not known of a success rate, as it weighs in the score: of one run much, of fifty little.</summary>
    private static double Doubt(ModelRuns runs)
    {
        var rate = (runs.Successes + 1) / (runs.Weight + 2);
        return RankingRule.SuccessShare * Width * Math.Sqrt(rate * (1 - rate) / (runs.Weight + 1));
    }

    private static double Gauss(Func<double> dice) => Math.Sqrt(-2 * Math.Log(1 - dice())) * Math.Cos(2 * Math.PI * dice());
}
