using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Recovery;

/// <summary>Texts for the outcomes of calls in a task's history.</summary>
public static class OutcomeText
{
    extension(CallOutcome outcome)
    {
        /// <summary>The name of the history entry.</summary>
        public string Entry => outcome switch
        {
            CallOutcome.Throttled => "Throttled",
            CallOutcome.HeldBack => "HeldBack",
            CallOutcome.OutputSpent => "OutputSpent",
            CallOutcome.Abandoned => "Abandoned",
            CallOutcome.KeyRefused => "KeyRefused",
            CallOutcome.ModelGone => "ModelGone",
            CallOutcome.OutOfCredit => "OutOfCredit",
            _ => "Faulted",
        };

        /// <summary>The reason of the history entry; null where its name says all.</summary>
        public string? Told => outcome switch
        {
            CallOutcome.Answered { CutShort: true } => "cut short at maxOutputTokens",
            CallOutcome.Answered => null,
            CallOutcome.Throttled throttled => throttled.Detail,
            CallOutcome.TooLarge large => large.Detail,
            CallOutcome.ContextExceeded context => context.Detail,
            CallOutcome.KeyRefused key => key.Detail,
            CallOutcome.ModelGone gone => gone.Detail,
            CallOutcome.ContentRefused content => content.Detail,
            CallOutcome.Malformed malformed => malformed.Detail,
            CallOutcome.OutputSpent spent => spent.Detail,
            CallOutcome.HeldBack held => held.Detail,
            CallOutcome.Unsupported unsupported => unsupported.Detail,
            CallOutcome.TimedOut timedOut => $"no answer within {timedOut.After.TotalSeconds:0.#} s",
            CallOutcome.Unreachable unreachable => unreachable.Detail,
            CallOutcome.OutOfCredit credit => credit.Detail,
            CallOutcome.BadRequest bad => bad.Detail,
            CallOutcome.Abandoned abandoned => abandoned.Detail,
            _ => null,
        };
    }
}
