namespace LlmQueue.Limits;

/// <summary>Who of those that wait for a budget can be paid from what is left of it. Pure.</summary>
public static class MoneyRule
{
    /// <param name="waiting">Those that wait, in their order, with what each needs in US dollars; null is an unknown price.</param>
    /// <param name="leftUsd">What is left of the budget in US dollars.</param>
    /// <returns>
    /// As many as the money reaches, in their order. Who needs more than is left then is passed over; an unknown price takes nothing
    /// here, because nobody can say how much it would be.
    /// </returns>
    public static IReadOnlyList<Guid> WhoCanBePaid(IEnumerable<(Guid Id, decimal? Usd)> waiting, decimal leftUsd)
    {
        var paid = new List<Guid>();
        foreach (var (id, usd) in waiting)
        {
            var needed = usd ?? 0;
            if (needed > leftUsd)
                continue;
            leftUsd -= needed;
            paid.Add(id);
        }

        return paid;
    }
}
