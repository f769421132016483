using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>A task of a stage, with its prompt.</summary>
public sealed record StageTask(TaskRow Row, IReadOnlyList<LlmMessage> Messages);

/// <summary>What a set of pages needs next. A closed set; the state machine has one branch for each.</summary>
public abstract record SummaryStep
{
    /// <summary>The tasks the step opens.</summary>
    public IReadOnlyList<StageTask> Tasks { get; init; } = [];

    public sealed record Plan : SummaryStep;

    public sealed record SummarizePages : SummaryStep;

    public sealed record Merge : SummaryStep;

    public sealed record Synthesize : SummaryStep;

    public sealed record Answer : SummaryStep;

    public sealed record Finish(string? Reason) : SummaryStep;

    public sealed record GiveUp(string Reason) : SummaryStep;
}
