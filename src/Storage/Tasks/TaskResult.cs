using LlmQueue.OpenAi;

namespace LlmQueue.Storage.Tasks;

/// <summary>What became of a task: of one that somebody waits for, or of a line of a batch.</summary>
public sealed class TaskResult
{
    /// <summary>Its line in the batch; 0 for a task of no batch.</summary>
    public int Line { get; init; }
    /// <summary>The name that the batch gave the line; empty for a task of no batch.</summary>
    public required string CustomId { get; init; }
    public Guid TaskId { get; init; }
    public required string State { get; init; }
    public string? Model { get; init; }
    public long InputTokens { get; init; }
    public long OutputTokens { get; init; }
    public string? Reason { get; init; }
    public DateTime? EndedAt { get; init; }
    public string? Answer { get; init; }
    /// <summary>See <see cref="PayloadRow.Ending"/>.</summary>
    public string? Ending { get; init; }
    /// <summary>See <see cref="PayloadRow.Error"/>.</summary>
    public string? Error { get; init; }

    /// <summary>The answer as OpenAI's clients read it.</summary>
    public ChatAnswer ToChatAnswer() =>
        ChatAnswer.Of(TaskId, EndedAt, Model, Answer, Ending, new ChatUsage(InputTokens, OutputTokens, InputTokens + OutputTokens));
}
