using LlmQueue.Worker.Admission;

namespace LlmQueue.Worker.Planning.Transitions;

/// <summary>The result of planning: where the task goes. A closed set; the state machine has one branch for each.</summary>
public abstract record NextStep
{
    /// <summary>Capacity and budget are reserved: call the model.</summary>
    /// <param name="WhyNotFirst">Why another model than the first choice was admitted; null when it was the first.</param>
    /// <param name="FirstChoice">The first model of the chain.</param>
    public sealed record Call(string? WhyNotFirst, string FirstChoice) : NextStep;

    /// <summary>The rules could not tell what it is; the small model is asked, with a reservation of its own.</summary>
    public sealed record AskClassifier : NextStep;

    /// <summary>No bucket has capacity: enter a wait queue.</summary>
    public sealed record WaitForCapacity(AdmissionDecision.NoRoom Why) : NextStep;

    /// <summary>The budget is spent: wait until it has money again.</summary>
    public sealed record WaitForBudget(AdmissionDecision.NoMoney Why) : NextStep;

    /// <summary>It can never run as asked, and no call was made.</summary>
    public sealed record Reject(string Reason) : NextStep
    {
        /// <summary>No call holds its prompt; in parts it may be read all the same.</summary>
        public bool IsTooLong { get; init; }
    }

    /// <summary>It can run no further, after calls were made.</summary>
    public sealed record Fail(string Reason) : NextStep;

    /// <summary>The current pass can run no further: the text that an earlier pass gave is the answer.</summary>
    public sealed record KeepAnswer(string Part, string Reason) : NextStep;
}
