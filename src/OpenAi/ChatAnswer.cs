using System.Text.Json;

namespace LlmQueue.OpenAi;

/// <summary>A chat completion, with the members that its schema requires, null where there is nothing.</summary>
public sealed record ChatAnswer(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, ChatUsage Usage)
{
    /// <summary>The answer of an ended task.</summary>
    /// <param name="taskId">The task; its id is the completion's.</param>
    /// <param name="endedAt">When it ended, in UTC.</param>
    /// <param name="model">The model that answered.</param>
    /// <param name="text">What it said.</param>
    /// <param name="ending">How the answer ended, as it is stored (JSON); null is a text that came to its end.</param>
    /// <param name="usage">Tokens as the provider counted them.</param>
    public static ChatAnswer Of(Guid taskId, DateTime? endedAt, string? model, string? text, string? ending, ChatUsage usage)
    {
        var (finish, calls) = EndingOf(ending);
        var content = text is { Length: > 0 } answer ? answer : calls is null ? "" : null;
        var choice = new ChatChoice(0, new ChatMessage("assistant", content, null) { ToolCalls = calls }, null, finish);
        var id = OpenAiFormat.Id(OpenAiFormat.ChatPrefix, taskId);
        return new ChatAnswer(id, "chat.completion", OpenAiFormat.Seconds(endedAt ?? default), model ?? "", [choice], usage);
    }

    public static (string Finish, JsonElement? ToolCalls) EndingOf(string? ending)
    {
        if (ending is null)
            return ("stop", null);
        using var document = JsonDocument.Parse(ending);
        return (document.RootElement.GetProperty("finish_reason").GetString()!,
            document.RootElement.TryGetProperty("tool_calls", out var calls) ? calls.Clone() : null);
    }
}

public sealed record ChatChoice(int Index, ChatMessage Message, object? Logprobs, string FinishReason);

public sealed record ChatMessage(string Role, string? Content, string? Refusal)
{
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? ToolCalls { get; init; }
}

/// <summary>The tokens of a completion, as the provider counted them, over all calls of the task that were charged.</summary>
public sealed record ChatUsage(long PromptTokens, long CompletionTokens, long TotalTokens);
