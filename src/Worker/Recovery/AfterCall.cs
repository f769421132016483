using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Recovery;

/// <summary>
/// What a task does after a call. A closed set; the state machine has one branch for each but the first, which leads to one of the
/// others.
/// </summary>
public abstract record AfterCall
{
    /// <summary>The call gave what it was made for: keep it; the pass decides what follows.</summary>
    public sealed record TakeAnswer(CallOutcome.Answered Answer, string Model) : AfterCall;

    /// <summary>The answer is kept: the task is done.</summary>
    public sealed record Complete : AfterCall;

    /// <summary>One call was not enough: the next pass is planned.</summary>
    public sealed record BeginPass(string Pass, IReadOnlyList<string> Issues) : AfterCall;

    /// <summary>No further pass: the text that an earlier one gave is the answer.</summary>
    public sealed record KeepAnswer(string Part, string Reason) : AfterCall;

    /// <summary>Plan another call at once.</summary>
    public sealed record PlanAgain : AfterCall;

    /// <summary>Wait, then plan another call.</summary>
    public sealed record BackOff(TimeSpan Pause, string Reason) : AfterCall;

    /// <summary>It ends here.</summary>
    public sealed record Fail(string Reason) : AfterCall;
}

/// <summary>The call that has ended, and what its task can still try.</summary>
/// <param name="Model">The model that was called.</param>
/// <param name="Chain">The models that may answer, in order.</param>
/// <param name="Untried">Those of them that this round has still to try.</param>
/// <param name="Faults">Faults of the task so far, this one not counted.</param>
/// <param name="Outages">Of these, the providers'.</param>
public sealed record EndedCall(string Model, IReadOnlyList<string> Chain, IReadOnlyList<string> Untried, int Faults, int Outages)
{
    /// <summary>What the call was for; see <see cref="TaskPasses"/>.</summary>
    public string? Pass { get; init; }

    /// <summary>A draft stands, which is the answer if nothing better comes.</summary>
    public bool HasDraft { get; init; }

    /// <summary>The model that takes the place of one which is gone; null when there is none or it is not gone.</summary>
    public string? Replacement { get; init; }
}
