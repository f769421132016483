using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Estimation;

namespace LlmQueue.Worker.Classification;

/// <summary>
/// Request batching for questions to the small model. Such models are limited in requests long before tokens, so questions that are
/// committed together share one request; see decision 10. This says what a question costs in either role, and guesses which role it will
/// have, for an admission that comes before the commit.
/// </summary>
public sealed class BatchedQuestions(CallEstimates estimates, QueueMetrics metrics)
{
    /// <summary>Questions in one call: more would make the small model careless, and a lost answer expensive.</summary>
    public const int MaxSize = 16;

    private const string Group = "classification";
    private int _open;

    public static bool IsShared(UnitOfWork transition) => transition.Shared is { Group: Group };

    public static QuestionSize SizeOf(IReadOnlyList<LlmMessage> messages) =>
        new(TokenEstimateRule.UnitsWithFrame(ClassifierPrompt.Messages([messages])),
            TokenEstimateRule.Units(ClassifierPrompt.Entry(messages, 1)));

    /// <summary>
    /// A question of this process is being decided and is not committed yet. As many as fit a call may share one, so only the first of them
    /// needs room for a request. It is open until <see cref="Drop"/>, or until the outcome of its transition.
    /// </summary>
    /// <returns>True when it is to look for room as a lead.</returns>
    public bool Begin() => Interlocked.Increment(ref _open) % MaxSize == 1;

    /// <summary>The question will not be asked.</summary>
    public void Drop() => Interlocked.Decrement(ref _open);

    /// <summary>The question was admitted: its transition may share a reservation, and its commit decides about the role.</summary>
    public void Share(UnitOfWork transition, ModelEntry model, QuestionSize size)
    {
        transition.Shared = new SharedReservation(Group, MaxSize, Cost(model, size.AsLead, leads: true),
            Cost(model, size.AsMember, leads: false));
        transition.WhenSettled += _ => Drop();
        transition.WhenCommitted += () =>
        {
            if (transition.Task!.Reservation.Lead is not null)
                metrics.QuestionJoined();
        };
    }

    private ReservationCost Cost(ModelEntry model, double units, bool leads)
    {
        var output = ClassifierPrompt.OutputTokens(leads);
        return new ReservationCost(
            estimates.Demand(model, ClassifierPrompt.CallKind, units, output) with { Requests = leads ? 1 : 0 },
            estimates.MostUsd(model, units, output));
    }
}

/// <summary>The size of a question in the estimate's units.</summary>
/// <param name="AsLead">With the instructions that surround it in a call of its own.</param>
/// <param name="AsMember">What it adds to another's call.</param>
public readonly record struct QuestionSize(double AsLead, double AsMember);
