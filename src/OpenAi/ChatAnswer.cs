using System.Text.Json;

namespace LlmQueue.OpenAi;

/// <summary>A chat completion, with the members that its schema requires, null where there is nothing.</summary>
public sealed record ChatAnswer(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, ChatUsage Usage)
{
    public static ChatAnswer Of(BatchResult result)
    {
        var (finish, calls) = EndingOf(result.Ending);
        var text = result.Answer is { Length: > 0 } answer ? answer : calls is null ? "" : null;
        return new ChatAnswer(OpenAiFormat.Id(OpenAiFormat.ChatPrefix, result.TaskId), "chat.completion", OpenAiFormat.Seconds(result.EndedAt ?? default), result.Model ?? "",
            [new ChatChoice(0, new ChatMessage("assistant", text, null) { ToolCalls = calls }, null, finish)], new ChatUsage(result.InputTokens, result.OutputTokens, result.InputTokens + result.OutputTokens));
    }

    public static (string Finish, JsonElement? ToolCalls) EndingOf(string? ending)
    {
        if (ending is null)
            return ("stop", null);
        using var document = JsonDocument.Parse(ending);
        return (document.RootElement.GetProperty("finish_reason").GetString()!, document.RootElement.TryGetProperty("tool_calls", out var calls) ? calls.Clone() : null);
    }
}

public sealed record ChatChoice(int Index, ChatMessage Message, object? Logprobs, string FinishReason);

public sealed record ChatMessage(string Role, string? Content, string? Refusal)
{
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? ToolCalls { get; init; }
}

/// <summary>As the provider counted, over all calls of the task that were charged.</summary>
public sealed record ChatUsage(long PromptTokens, long CompletionTokens, long TotalTokens);
