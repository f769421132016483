using LlmQueue.Limits;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Ranking;

namespace LlmQueue.Worker.Admission;

/// <summary>
/// The admission controller. It decides on this process's view of the limits and holds what it decided until the commit has made it true,
/// or not.
/// </summary>
public sealed class AdmissionController(
    BucketDirectory directory, LimitViews views, BudgetRepository budgets, CallEstimates estimates, PagePool pool, WorkerOptions options)
{
    /// <summary>Admits the task if it can: then its reservation is in the transition and its row names the bucket.</summary>
    public async ValueTask<AdmissionDecision> Decide(TaskRow task, UnitOfWork transition, AdmissionRequest request)
    {
        var now = transition.Now;
        var drawn = budgets.Of(task.Tenant, task.Agent, task.Kind, now);
        await budgets.Open(drawn);
        var wanted = Candidates(request, now);
        var (share, tightest) = TightestOf(drawn);
        var ordered = OrderRule.Decide(wanted, request.LoadBalanced, IsBound(task), share, tightest, now,
            request.LoadBalanced ? Weight(wanted, task.Complexity) : null);
        var candidates = ordered.Candidates;
        var decision = AdmissionRule.Decide(candidates, ordered.IsSpread, now);
        // A task that could not pay anywhere does not enter a wait queue: at its head it would be sent away, enqueued again behind the
        // others, and so on without end.
        if (decision is AdmissionDecision.NoRoom full
            && WhyNoMoney([.. candidates.Where(c => full.Buckets.Contains(c.BucketId))], drawn, now) is { } broke)
            return AtLimit(broke);
        if (decision is not AdmissionDecision.Open open)
            return decision;

        AdmissionDecision.NoMoney? noMoney = null;
        foreach (var candidate in open.InOrder)
        {
            var money = HoldMoney(candidate, drawn, now);
            if (money.Refused is { } refused)
            {
                noMoney ??= refused;
                continue;
            }

            if (views.Bucket(candidate.BucketId)?.TryHold(candidate.Demand, now) is not { } unholdRoom)
            {
                money.Unhold?.Invoke();
                continue;
            }

            Reserve(task, transition, candidate, () =>
            {
                unholdRoom();
                money.Unhold?.Invoke();
            }, drawn);
            var whyNotFirst = candidate.Model.Id == wanted[0].Model.Id ? null
                : candidate.Model.Id == candidates[0].Model.Id ? ordered.Why ?? open.WhyNotFirst
                : open.WhyNotFirst ?? noMoney?.Reason ?? AdmissionRule.WhyClosed(candidates[0], now);
            return open with { InOrder = [candidate], WhyNotFirst = whyNotFirst };
        }

        if (noMoney is not null)
            return AtLimit(noMoney);
        // Others took the capacity between the look and the hold: the task waits behind them.
        return new AdmissionDecision.NoRoom([
            .. candidates.Where(c => c.Bucket.DisabledReason is null && BucketRule.CanEverFit(c.Bucket, c.Demand)).Select(c => c.BucketId)],
            AdmissionRule.WhyClosed(open.InOrder[0], now), now, AdmissionRule.Mean(candidates));
    }

    private AdmissionDecision AtLimit(AdmissionDecision.NoMoney broke) =>
        options.RejectAtBudgetLimit
            ? new AdmissionDecision.Impossible(
                $"{broke.Reason}, and at the limit tasks are rejected (BUDGET_AT_LIMIT). Raise the budget and hand it in again")
            : broke;

    /// <summary>Why a task that has waited was given another model than its first choice.</summary>
    public string WhyGranted(TaskRow task, DateTime now)
    {
        var wanted = Candidates(AdmissionRequest.Of(task), now);
        return OrderRule.Decide(wanted, spread: false, IsBound(task), 0, "", now).Why ?? $"{task.Model} had room sooner";
    }

    private static bool IsBound(TaskRow task) => task.HighStakes || task.RequestedModel is not null;

    /// <summary>The candidates of the task's chain, in order, with what each would take and cost.</summary>
    public List<Candidate> Candidates(AdmissionRequest request, DateTime now)
    {
        var candidates = new List<Candidate>();
        foreach (var id in request.Chain)
        {
            foreach (var info in directory.Of(id))
            {
                if (views.Bucket(info.Id) is not { } view)
                    continue;
                var row = view.At(now);
                if (info.Keys.All(k => views.WhyKeyRefused(k.Alias) is not null))
                    row.DisabledReason ??= DisabledReason.NoKeyAccepted($"{info.Keys[0].Alias} was refused "
                        + $"({views.WhyKeyRefused(info.Keys[0].Alias)}). Put a valid key into the environment and start again");
                candidates.Add(new Candidate(info.Id, info.Model, row,
                    estimates.Demand(info.Model, request.Kind, request.InputUnits, request.OutputTokens) with
                    {
                        Requests = request.Requests,
                    },
                    estimates.MostUsd(info.Model, request.InputUnits, request.OutputTokens)));
            }
        }

        return candidates;
    }

    private Func<Candidate, double> Weight(IReadOnlyList<Candidate> candidates, string? complexity)
    {
        var weights = pool.Weights(candidates.Select(c => (c.Model, c.Bucket.TokensPerMinute)), complexity);
        return candidate => weights(candidate.Model.Id).Weight;
    }

    private (double Share, string Budget) TightestOf(IReadOnlyList<string> drawn) =>
        drawn.Select(id => (Share: views.Budget(id) is { } budget ? ThresholdRule.UsedShare(budget.Row) : 0, Budget: id))
            .MaxBy(b => b.Share);

    /// <summary>Why none of these can be paid now; null when one can.</summary>
    private AdmissionDecision.NoMoney? WhyNoMoney(IReadOnlyList<Candidate> ways, IReadOnlyList<string> drawn, DateTime now)
    {
        AdmissionDecision.NoMoney? first = null;
        foreach (var way in ways)
        {
            var (unhold, refused) = HoldMoney(way, drawn, now);
            unhold?.Invoke();
            if (refused is null)
                return null;
            first ??= refused;
        }

        return first;
    }

    /// <summary>Holds the price in every budget the task draws on, or in none.</summary>
    private (Action? Unhold, AdmissionDecision.NoMoney? Refused) HoldMoney(Candidate candidate, IReadOnlyList<string> drawn, DateTime now)
    {
        Action? unholdAll = null;
        foreach (var id in drawn)
        {
            if (views.Budget(id) is not { } budget)
                return Refuse(new AdmissionDecision.NoMoney(id, $"the budget {id} is not open yet", now.AddSeconds(1), 0));
            if (budget.Row.LimitUsd is not { } limit)
                continue;
            if (candidate.PriceUsd is not { } price)
                return Refuse(new AdmissionDecision.NoMoney(id,
                    $"the price of {candidate.Model.Id} is unknown and the budget {id} is limited to ${limit:0.00}: "
                        + "without a price it cannot be kept. Add the price to the catalogue, or name a model that has one",
                    budget.Row.PeriodEnd, null));
            if (budget.TryHold(price) is { } unhold)
                unholdAll += unhold;
            else
                return Refuse(new AdmissionDecision.NoMoney(id,
                    $"the budget {id} has ${budget.LeftUsd:0.000000} of ${limit:0.00} left and the task may cost ${price:0.000000}",
                    budget.Row.PeriodEnd, price));
        }

        return (unholdAll, null);

        (Action?, AdmissionDecision.NoMoney?) Refuse(AdmissionDecision.NoMoney why)
        {
            unholdAll?.Invoke();
            return (null, why);
        }
    }

    private static void Reserve(TaskRow task, UnitOfWork transition, Candidate candidate, Action unhold, IReadOnlyList<string> budgets)
    {
        transition.Reserve(new Reservation(candidate.BucketId, candidate.Demand, candidate.PriceUsd, budgets), unhold);
        task.Model = candidate.Model.Id.ToString();
        task.Reservation = task.Reservation with
        {
            Bucket = candidate.BucketId, Tokens = candidate.Demand.Tokens, Usd = candidate.PriceUsd, Budgets = IdList.Of(budgets),
        };
    }
}
