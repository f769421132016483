using LlmQueue.Limits;

namespace LlmQueue.Worker.Admission;

/// <summary>A task's candidates in the order in which they are tried.</summary>
/// <param name="Candidates">First the one to be taken if it has room.</param>
/// <param name="Why">What money or a day's quota changed about them, as a sentence; null when nothing.</param>
/// <param name="IsSpread">True when the order is a pool's: no way is anybody's first choice.</param>
public sealed record WaysInOrder(IReadOnlyList<Candidate> Candidates, string? Why, bool IsSpread);

/// <summary>
/// The one order of a task's candidates, used by the admission controller for new tasks and by the capacity scheduler for waiting ones:
/// budgets first, then the quotas of the day, then the chain's own order, or the pool's emptiest. Pure.
/// </summary>
public static class OrderRule
{
    /// <param name="candidates">The ways, first choice first.</param>
    /// <param name="spread">True for a pool.</param>
    /// <param name="bound">True when the task may not be sent elsewhere for the queue's sake: high stakes, or a model of its own.</param>
    /// <param name="usedShare">The used share of the tightest budget, 0 to 1.</param>
    /// <param name="budget">That budget's id.</param>
    /// <param name="now">The present.</param>
    /// <param name="weight">How much a way of a pool is preferred over an equally empty one; left out: all alike.</param>
    public static WaysInOrder Decide(
        IReadOnlyList<Candidate> candidates, bool spread, bool bound, double usedShare, string budget, DateTime now,
        Func<Candidate, double>? weight = null)
    {
        var governed = BudgetDowngradeRule.Decide(candidates, usedShare, budget, bound);
        if (governed.Why is not null)
            return new WaysInOrder(governed.Candidates, governed.Why, IsSpread: false);
        var inOrder = spread ? AdmissionRule.Emptiest(candidates, weight, now) : candidates;
        var (shifted, why) = QuotaRule.Decide(inOrder, bound);
        return new WaysInOrder(shifted, spread ? null : why, spread);
    }
}

/// <summary>
/// Spares a quota of the day before it is used up, so that tasks which must have that model still find it: from 80 % a model with more left
/// goes first (warn and shift), from 90 % the model goes last whatever is left elsewhere (critical), from 95 % the models of another
/// provider, or of another organisation, go before all others of its own (emergency). Pure.
/// </summary>
public static class QuotaRule
{
    private const int Shift = 1, FallBack = 2, Emergency = 3;

    /// <param name="candidates">The ways in their own order.</param>
    /// <param name="bound">True when the task keeps its first choice.</param>
    /// <returns>The ways, and a sentence when another model goes first; where only another organisation of the same model does,
    /// nothing is said.</returns>
    public static (IReadOnlyList<Candidate> Candidates, string? Why) Decide(IReadOnlyList<Candidate> candidates, bool bound)
    {
        if (bound || candidates.Count < 2 || LevelOf(candidates[0]) == 0)
            return (candidates, null);
        var first = candidates[0];
        var level = LevelOf(first);
        // In an emergency what the organisation has left at that provider is spared as well.
        bool IsIts(Candidate c) => c.Model.Id.Provider == first.Model.Id.Provider && c.Bucket.Organisation == first.Bucket.Organisation;
        var shifted = candidates.OrderBy(c => LevelOf(c) == Emergency).ThenBy(c => level == Emergency && IsIts(c)).ThenBy(LevelOf).ToList();
        return (shifted, shifted[0].Model.Id == first.Model.Id
            ? null
            : $"the day's quota of {first.Model.Id} of {first.Bucket.Organisation} is used up to "
                + $"{ThresholdRule.UsedDayShare(first.Bucket):P0}: {Words(level)}");
    }

    private static int LevelOf(Candidate candidate) => ThresholdRule.UsedDayShare(candidate.Bucket) switch
    {
        >= 0.95 => Emergency,
        >= 0.90 => FallBack,
        >= 0.80 => Shift,
        _ => 0,
    };

    private static string Words(int level) => level switch
    {
        Emergency => "from 95 % the models of another provider go first",
        FallBack => "from 90 % only tasks of high stakes and those that name it still take it first",
        _ => "from 80 % a model with more left goes first",
    };
}
