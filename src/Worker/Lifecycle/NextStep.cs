using LlmQueue.Worker.Admission;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>Where a task goes when it asks for room. A closed set; the state machine has one branch for each.</summary>
public abstract record NextStep
{
    /// <summary>Room and money are reserved: call.</summary>
    public sealed record Call(string? WhyNotFirst, string FirstChoice) : NextStep;

    /// <summary>The rules could not tell what it is; the small model is asked, with a reservation of its own.</summary>
    public sealed record AskClassifier : NextStep;

    /// <summary>No bucket has room: stand in line.</summary>
    public sealed record StandInLine(AdmissionDecision.NoRoom Why) : NextStep;

    /// <summary>No money: wait for the budget.</summary>
    public sealed record WaitForMoney(AdmissionDecision.NoMoney Why) : NextStep;

    /// <summary>It can never run as asked, and no call was made.</summary>
    public sealed record Reject(string Reason) : NextStep
    {
        /// <summary>No call holds its prompt; in parts it may be read all the same.</summary>
        public bool IsTooLong { get; init; }
    }

    /// <summary>It can run no further, after calls were made.</summary>
    public sealed record Fail(string Reason) : NextStep;

    /// <summary>The pass it is at can run no further: what a former one gave is the answer.</summary>
    public sealed record Keep(string Part, string Reason) : NextStep;
}

/// <summary>Where a task goes after a call. A closed set; the state machine has one branch for each.</summary>
public abstract record AfterCall
{
    /// <summary>The answer is kept.</summary>
    public sealed record Done : AfterCall;

    /// <summary>One call was not enough: the next pass asks for room.</summary>
    public sealed record NextPass(string Pass, IReadOnlyList<string> Issues) : AfterCall;

    /// <summary>No further pass: what a former one gave is the answer.</summary>
    public sealed record Keep(string Part, string Reason) : AfterCall;

    /// <summary>Ask for room again.</summary>
    public sealed record SeekAgain : AfterCall;

    /// <summary>Wait, then ask again.</summary>
    public sealed record BackOff(TimeSpan Pause, string Reason) : AfterCall;

    /// <summary>It ends here.</summary>
    public sealed record Fail(string Reason) : AfterCall;
}
