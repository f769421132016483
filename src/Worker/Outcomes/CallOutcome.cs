using LlmQueue.Limits;

namespace LlmQueue.Worker.Outcomes;

/// <summary>The outcome of one call. A closed set: each has exactly one decision in RecoveryRule.</summary>
public abstract record CallOutcome
{
    /// <summary>What the provider said of its own count, on whichever answer.</summary>
    public ProviderCount? Count { get; init; }

    /// <summary>The provider itself, or the way to it, failed: a breaker counts it, and it ends no task that still has time.</summary>
    public virtual bool IsProvidersFault => false;

    /// <summary>What it tells of the provider's health; null when it tells nothing.</summary>
    public virtual ProviderSign? Sign => ProviderSign.Alive;

    /// <summary>The outcome's name in the attempt's record.</summary>
    public abstract string Word { get; }

    /// <summary>A complete answer.</summary>
    public sealed record Answered(string Text, long InputTokens, long OutputTokens, string? ModelVersion, bool CutShort) : CallOutcome
    {
        /// <summary>How it ended where it is more than a text that came to its end: JSON with finish_reason and tool_calls.</summary>
        public string? Ending { get; init; }

        /// <summary>It asks the caller to call tools instead of saying something.</summary>
        public bool CallsTools => Ending?.Contains("\"tool_calls\":", StringComparison.Ordinal) == true;

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
        /// <summary>The connection or the provider broke off in the middle: what was made of the call may have to be paid.</summary>
        public bool BrokenOff { get; init; }

        public override string Word => "malformed answer";

        public override bool IsProvidersFault => BrokenOff;

        public override ProviderSign? Sign => BrokenOff ? new ProviderSign(false, Detail) : ProviderSign.Alive;
    }

    /// <summary>
    /// Hidden reasoning has used up all the output that was allowed: there is no answer, and with the same allowance there will be none.
    /// </summary>
    public sealed record OutputSpent(string Detail, long InputTokens, long OutputTokens) : CallOutcome
    {
        public override string Word => "output spent";
    }

    public sealed record TimedOut(TimeSpan After) : CallOutcome
    {
        /// <summary>It was given less time than the model may well need: it tells nothing of the provider's health.</summary>
        public bool WasHurried { get; init; }

        public override string Word => "timed out";

        public override bool IsProvidersFault => !WasHurried;

        public override ProviderSign? Sign => WasHurried ? null : new ProviderSign(false, $"no answer within {After.TotalSeconds:0.#} s");
    }

    /// <summary>No connection, or a fault on the provider's side; nothing is charged.</summary>
    public sealed record Unreachable(string Detail) : CallOutcome
    {
        /// <summary>How long the provider asks to be left alone; null when it does not say.</summary>
        public TimeSpan? Wait { get; init; }

        public override string Word => "unreachable";

        public override bool IsProvidersFault => true;

        public override ProviderSign? Sign => new ProviderSign(false, Detail);
    }

    /// <summary>Not sent: the breaker opened after the call had been admitted. Nothing was charged and nothing learned.</summary>
    public sealed record HeldBack(string Detail) : CallOutcome
    {
        public override string Word => "held back";

        public override ProviderSign? Sign => null;
    }

    /// <summary>The model does not take something that the request has; another may.</summary>
    public sealed record Unsupported(string Detail) : CallOutcome
    {
        public override string Word => "unsupported";
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

        public override ProviderSign? Sign => null;
    }
}
