using LlmQueue.Limits;

namespace LlmQueue.Worker.Admission;

/// <summary>A task's candidates after the budget was considered.</summary>
/// <param name="Candidates">In the order in which they are to be taken.</param>
/// <param name="Why">What the budget changed about them, as a sentence; null when nothing.</param>
public sealed record BudgetDowngrade(IReadOnlyList<Candidate> Candidates, string? Why);

/// <summary>
/// Downgrades near a budget's limit: from 90 % the cheaper model goes first, from 95 % only the cheapest is left. The reason stands in the
/// task's history. Pure.
/// </summary>
public static class BudgetDowngradeRule
{
    private const double PreferCheaper = 0.90;
    private const double CheapestOnly = 0.95;

    /// <param name="candidates">The ways, first choice first.</param>
    /// <param name="usedShare">The used share of the tightest budget, 0 to 1.</param>
    /// <param name="budget">That budget's id.</param>
    /// <param name="bound">True when the task may not be downgraded: high stakes, or a model of its own.</param>
    public static BudgetDowngrade Decide(IReadOnlyList<Candidate> candidates, double usedShare, string budget, bool bound)
    {
        if (bound || usedShare < PreferCheaper || candidates.Select(c => c.Model.Id).Distinct().Count() < 2)
            return new BudgetDowngrade(candidates, null);
        var cheapestFirst = candidates.OrderBy(c => c.PriceUsd ?? decimal.MaxValue).ToList();
        var why = $"the budget {budget} is used up to {usedShare:P0}";
        if (usedShare < CheapestOnly)
            return Changed(candidates, cheapestFirst, $"{why}: from {PreferCheaper:P0} the cheaper model goes first");
        // The cheapest that could ever take it; its other organisations cost the same.
        var cheapest = cheapestFirst.Find(c => BucketRule.CanEverFit(c.Bucket, c.Demand)) ?? cheapestFirst[0];
        return Changed(candidates,
            cheapestFirst.FindAll(c => c.PriceUsd == cheapest.PriceUsd && c.PriceUsd is not null) is { Count: > 0 } same
                ? same
                : [cheapest],
            $"{why}: from {CheapestOnly:P0} only the cheapest model is used");
    }

    private static BudgetDowngrade Changed(IReadOnlyList<Candidate> before, List<Candidate> after, string why) =>
        new(after, after[0].Model.Id == before[0].Model.Id && after.Count == before.Count ? null : why);
}
