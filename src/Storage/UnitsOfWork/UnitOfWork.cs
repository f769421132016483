using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>
/// A unit of work: everything one transition changes, committed as a whole or not at all, in a group with whatever other transitions are
/// ready at that moment. Its commands are sent after the commit and before the message that caused it is acknowledged.
/// </summary>
public sealed class UnitOfWork(DateTime now)
{
    public DateTime Now { get; } = now;

    public TaskRow? Task { get; set; }
    public bool TaskIsNew { get; set; }
    public SummaryRow? Summary { get; set; }
    public bool SummaryIsNew { get; set; }

    /// <summary>Tasks created in this transition: pages of a summary, tasks of a request.</summary>
    public List<TaskRow> Created { get; } = [];
    public List<AttemptRow> Opened { get; } = [];
    public List<AttemptRow> Ended { get; } = [];
    public List<HistoryRow> History { get; } = [];
    public List<PayloadRow> Payloads { get; } = [];
    public List<OutboxMessage> OutboxMessages { get; } = [];
    public List<WebhookRow> Webhooks { get; } = [];
    /// <summary>Tasks that are to be canceled; see <see cref="Tasks.Cancellations"/>.</summary>
    public List<Guid> Cancellations { get; } = [];
    public Reservation? Reservation { get; private set; }
    /// <summary>
    /// The reservation may be shared with others of the same commit, which decides who leads; null for a reservation of its own.
    /// </summary>
    public SharedReservation? Shared { get; set; }
    /// <summary>Who said what the task is, and where it goes by that; counted when it is true.</summary>
    public StageDecision? Stage { get; set; }
    public Settlement? Settlement { get; set; }
    public Enqueue? Enqueue { get; set; }
    /// <summary>The wait queue that the task leaves without having been granted capacity.</summary>
    public Dequeue? Dequeue { get; set; }
    /// <summary>Budgets whose count of waiting tasks changes, by how much.</summary>
    public Dictionary<string, int> BudgetWaiters { get; } = [];

    /// <summary>
    /// One task more, or less, waits for a budget; one that leaves and comes back in the same transition changes nothing.
    /// </summary>
    public void BudgetWaits(string budget, int change) => BudgetWaiters[budget] = BudgetWaiters.GetValueOrDefault(budget) + change;

    public KeyUse? KeyUse { get; set; }
    /// <summary>The summary one of whose open tasks ends here.</summary>
    public Guid? EndedForSummary { get; set; }
    public List<object> Commands { get; } = [];

    /// <summary>
    /// What the decision took out of the local view while this waits for its commit; given back to the view by the outcome.
    /// </summary>
    public Action? Unhold { get; private set; }

    public bool ChangesNothing => History.Count == 0 && Created.Count == 0 && Ended.Count == 0 && Payloads.Count == 0;

    /// <summary>What is to be counted once this is committed, and only then: a transition that is decided again counts once.</summary>
    public Action? WhenCommitted { get; set; }

    /// <summary>Told what became of this, once: also when it never came to a commit, then as null.</summary>
    public Action<CommitOutcome?>? WhenSettled { get; set; }

    /// <summary>The end of this transition, whatever it is.</summary>
    internal void Settle(CommitOutcome? outcome)
    {
        Unhold?.Invoke();
        if (outcome == CommitOutcome.Committed)
            WhenCommitted?.Invoke();
        WhenSettled?.Invoke(outcome);
    }

    public void Reserve(Reservation reservation, Action unhold)
    {
        Reservation = reservation;
        Unhold = unhold;
    }

    /// <summary>
    /// The ledger's decision on <see cref="Shared"/>, made anew at each try of the commit: joins <paramref name="lead"/>, or
    /// leads where it is null.
    /// </summary>
    internal void ReserveAs(UnitOfWork? lead)
    {
        var cost = lead is null ? Shared!.AsLead : Shared!.AsMember;
        Reservation = Reservation! with { Demand = cost.Demand, Usd = cost.Usd };
        var (task, attempt) = (Task!, Opened[0]);
        task.Reservation = task.Reservation with { Tokens = cost.Demand.Tokens, Usd = cost.Usd, Lead = lead?.Task!.CorrelationId };
        (attempt.ReservedTokens, attempt.ReservedUsd, attempt.Pack) = (cost.Demand.Tokens, cost.Usd, lead?.Task!.CorrelationId);
        // One call is made for all, through the lead's key.
        if (lead is not null)
            (lead.Opened[0].Pack, attempt.KeyAlias) = (lead.Task!.CorrelationId, lead.Opened[0].KeyAlias);
    }

    public void Record(Guid subject, string entry, string state, string? reason = null) =>
        // The ordinal only tells entries of one subject and version apart; a transition that creates thousands of tasks records one for
        // each.
        History.Add(new HistoryRow
        {
            SubjectId = subject, Ordinal = (short)(History.Count % short.MaxValue), At = Now, Entry = entry, State = state, Reason = reason,
        });

    public void Publish(object message) => OutboxMessages.Add(new OutboxMessage(Guid.CreateVersion7(), message, Now));

    public void Send(object command) => Commands.Add(command);

    /// <summary>Gives the subject's history its version: the number is only known when the row's is.</summary>
    internal void Seal()
    {
        foreach (var entry in History)
        {
            if (Task is { } task && entry.SubjectId == task.CorrelationId)
                entry.Version = task.Version;
            else if (Summary is { } summary && entry.SubjectId == summary.CorrelationId)
                entry.Version = summary.Version;
            else
                entry.Version = 1;
        }
    }
}

/// <summary>
/// For metrics: which stage classified the task, the model it goes to first by that, and the one it would have gone to without.
/// </summary>
public sealed record StageDecision(string Stage, string Model, string Without);
