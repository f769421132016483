using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Recovery;

/// <summary>The charge of a call, by its outcome.</summary>
public static class ChargeRule
{
    /// <summary>What the provider has charged: nothing for what it refused, everything for what may have arrived.</summary>
    public static ResourceDemand Used(CallOutcome outcome, long reserved) => outcome switch
    {
        CallOutcome.Answered answered => new ResourceDemand(1,
            answered.InputTokens + answered.OutputTokens > 0 ? answered.InputTokens + answered.OutputTokens : reserved),
        CallOutcome.Malformed { InputTokens: > 0 } malformed => new ResourceDemand(1, malformed.InputTokens + malformed.OutputTokens),
        CallOutcome.OutputSpent spent => new ResourceDemand(1, spent.InputTokens + spent.OutputTokens),
        CallOutcome.Malformed or CallOutcome.TimedOut or CallOutcome.Abandoned or CallOutcome.Unreachable or CallOutcome.ContentRefused =>
            new ResourceDemand(1, reserved),
        CallOutcome.BadRequest or CallOutcome.ContextExceeded or CallOutcome.Unsupported => new ResourceDemand(1, 0),
        _ => new ResourceDemand(0, 0),
    };

    /// <summary>US dollars; null when the price is unknown.</summary>
    public static decimal? Cost(CallOutcome outcome, ModelPrice price, decimal? reservedUsd) => outcome switch
    {
        CallOutcome.Answered answered => price.CostUsd(answered.InputTokens, answered.OutputTokens),
        CallOutcome.OutputSpent spent => price.CostUsd(spent.InputTokens, spent.OutputTokens),
        CallOutcome.Malformed { BrokenOff: true, InputTokens: 0 } => reservedUsd,
        CallOutcome.Malformed malformed => price.CostUsd(malformed.InputTokens, malformed.OutputTokens),
        // The provider may have answered what nobody received: the highest price is the safe one.
        CallOutcome.Abandoned or CallOutcome.TimedOut => reservedUsd,
        _ => 0,
    };

    public static (long Input, long Output) Tokens(CallOutcome outcome) => outcome switch
    {
        CallOutcome.Answered answered => (answered.InputTokens, answered.OutputTokens),
        CallOutcome.Malformed malformed => (malformed.InputTokens, malformed.OutputTokens),
        CallOutcome.OutputSpent spent => (spent.InputTokens, spent.OutputTokens),
        _ => (0, 0),
    };
}
