using LlmQueue.Store.Limits;

namespace LlmQueue.Worker.Calling;

/// <summary>What came of one call. A closed set: each has exactly one decision in RecoveryRule.</summary>
public abstract record CallOutcome
{
    /// <summary>What the provider said of its own count, on whichever answer.</summary>
    public ProviderCount? Count { get; init; }

    /// <summary>The word kept in the attempt's record.</summary>
    public abstract string Word { get; }

    /// <summary>An answer, whole.</summary>
    public sealed record Answered(string Text, long InputTokens, long OutputTokens, string? ModelVersion, bool CutShort) : CallOutcome
    {
        public override string Word => "answered";
    }

    /// <summary>A limit is reached: wait until then.</summary>
    public sealed record Throttled(LimitWindow? Window, TimeSpan Wait, string Detail) : CallOutcome
    {
        public override string Word => "throttled";
    }

    /// <summary>The request alone is above a limit: waiting would never help.</summary>
    public sealed record TooLarge(string Detail) : CallOutcome
    {
        public override string Word => "too large";
    }

    public sealed record ContextExceeded(string Detail) : CallOutcome
    {
        public override string Word => "context exceeded";
    }

    public sealed record KeyRefused(string Detail) : CallOutcome
    {
        public override string Word => "key refused";
    }

    public sealed record ModelGone(string Detail) : CallOutcome
    {
        public override string Word => "model gone";
    }

    /// <summary>The provider will not answer this content.</summary>
    public sealed record ContentRefused(string Detail) : CallOutcome
    {
        public override string Word => "content refused";
    }

    /// <summary>Half an answer, an empty one, or none that can be read.</summary>
    public sealed record Malformed(string Detail, long InputTokens = 0, long OutputTokens = 0) : CallOutcome
    {
        public override string Word => "malformed answer";
    }

    public sealed record TimedOut(TimeSpan After) : CallOutcome
    {
        public override string Word => "timed out";
    }

    /// <summary>No connection, or a fault on the provider's side.</summary>
    public sealed record Unreachable(string Detail) : CallOutcome
    {
        public override string Word => "unreachable";
    }

    public sealed record OutOfCredit(string Detail) : CallOutcome
    {
        public override string Word => "out of credit";
    }

    /// <summary>The provider finds the request itself wrong; the same one will never be right.</summary>
    public sealed record BadRequest(string Detail) : CallOutcome
    {
        public override string Word => "bad request";
    }

    /// <summary>The worker that had claimed the call is gone; whether the provider answered is not known.</summary>
    public sealed record Abandoned(string Detail) : CallOutcome
    {
        public override string Word => "abandoned";
    }
}

/// <summary>A call of one attempt has an outcome. Raised to the machine by the worker that made the call: answer, record, settlement and transition are one commit.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt; an old one changes nothing.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="KeyAlias">The key it went through.</param>
/// <param name="Took">From claim to outcome.</param>
/// <param name="PromptHash">First 16 hex digits of the prompt's SHA-256.</param>
public sealed record CallFinished(Guid TaskId, int Attempt, CallOutcome Outcome, string KeyAlias, TimeSpan Took, string? PromptHash)
{
    /// <summary>Requests it took: 0 for what was answered along with another task's question.</summary>
    public int Requests { get; init; } = 1;
}
