using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Storage.Intake;

/// <summary>A submitted task, as its row.</summary>
/// <param name="Row">The row.</param>
/// <param name="Prompt">The messages, as JSON, for the prompt's own row.</param>
/// <param name="Refusal">Why it can never run, as a sentence; null when nothing is wrong with its values.</param>
public sealed record AcceptedTask(TaskRow Row, string Prompt, string? Refusal);

/// <summary>
/// Reads a task as a producer sent it, over HTTP and over the bus alike. Pure: the same task is read in the same way wherever it comes in.
/// </summary>
public static class TaskIntake
{
    public const int DefaultMaxOutputTokens = 1024;
    private const int LongestPrompt = 20_000_000;
    private const int LongestName = 200;
    private const int MostLabels = 64;
    private const int LongestLabels = 32_000;

    /// <exception cref="UnreadableMessageException">There is nothing in it that could be asked.</exception>
    public static AcceptedTask Read(LlmTask task, Guid id, string? tenant, DateTime now, bool stream = false)
    {
        if (task.Prompt is null && task.Messages is null)
            throw new UnreadableMessageException(
                "The task has neither 'prompt' nor 'messages'. Expected one of them, for example {\"prompt\": \"Why is the sky blue?\"}.");
        var messages = task.Messages ?? [new LlmMessage("user", task.Prompt!)];
        var row = SubmittedTask.NewRow(id, Cut(tenant ?? task.Tenant) is { Length: > 0 } name ? name : "default", now);
        row.Kind = Cut(task.Kind)?.ToLowerInvariant();
        row.Complexity = Cut(task.Complexity)?.ToLowerInvariant();
        row.Priority = Priorities.Parse(task.Priority) ?? Priorities.Normal;
        row.HighStakes = task.HighStakes;
        row.Agent = Cut(task.Agent);
        row.Conversation = Cut(task.Conversation);
        row.RequestedModel = Cut(task.Model);
        row.MaxOutputTokens = task.MaxOutputTokens ?? DefaultMaxOutputTokens;
        row.Deadline = task.Deadline?.UtcDateTime;
        row.Metadata = task.Metadata is { Count: > 0 } labels ? JsonSerializer.Serialize(labels, StoredJson.Options) : null;
        row.WebhookUrl = Cut(task.WebhookUrl, 2000);
        var refusal = WhatIsWrong(task, messages, now);
        return new AcceptedTask(row, StoredPrompt.Write(messages, task.Parameters, stream), refusal);
    }

    public static IReadOnlyList<LlmMessage> ReadPrompt(string prompt) => StoredPrompt.Read(prompt).Messages;

    private static string? WhatIsWrong(LlmTask task, IReadOnlyList<LlmMessage> messages, DateTime now)
    {
        if (task.Prompt is not null && task.Messages is not null)
            return "The task has both 'prompt' and 'messages'; expected one of them. "
                + "Put the prompt into messages as the last one of role 'user'.";
        if (messages.Count == 0)
            return "'messages' is empty; expected at least one of role 'user'.";
        for (var i = 0; i < messages.Count; i++)
        {
            if (messages[i]?.Misfit is { } misfit)
                return $"messages[{i}]{misfit}.";
            if (messages[i] is not { } message || message.Role is not ("system" or "user" or "assistant" or "developer" or "tool"))
                return $"messages[{i}] has the role '{Cut(messages[i]?.Role)}'; expected 'system', 'user' or 'assistant'.";
            if (message is { Role: "tool", ToolCallId: null })
                return $"messages[{i}] has the role 'tool' and no 'toolCallId'; expected the id of the call it answers.";
            if (message.Content is null)
                return $"messages[{i}] has no 'content'; expected its text.";
            if (message.Content.Contains('\0', StringComparison.Ordinal))
                return $"messages[{i}] contains the character U+0000, so it is binary data and not text. Extract its text first.";
        }

        if (!messages.Any(m => m.Role is "user" or "tool" && !string.IsNullOrWhiteSpace(m.Content)))
            return task.Prompt is not null
                ? "The prompt is empty; expected a question or an instruction."
                : "No message of role 'user' has any text; expected a question or an instruction.";
        if (messages.Sum(m => (long)m.Content.Length) > LongestPrompt)
            return $"The prompt has {messages.Sum(m => (long)m.Content.Length):N0} characters; "
                + $"no model takes more than {LongestPrompt:N0}. Split it, or hand its pages in as a summary (POST /v1/summaries).";
        if (ImageRule.WhatIsWrong(messages) is { } image)
            return image;
        if (Priorities.Parse(task.Priority) is null)
            return $"The priority '{Cut(task.Priority)}' is unknown; expected 'interactive', 'normal' or 'batch'.";
        if (task.Complexity is { Length: > 0 } complexity && complexity.ToLowerInvariant() is not ("low" or "medium" or "high"))
            return $"The complexity '{Cut(complexity)}' is unknown; "
                + "expected 'low', 'medium' or 'high', or leave it out and it is classified.";
        if (task.MaxOutputTokens is < 1 or > 1_000_000)
            return $"maxOutputTokens is {task.MaxOutputTokens}; expected 1 to 1,000,000.";
        if (WhatIsWrong(task.Metadata) is { } labels)
            return labels;
        if (task.Parameters is { } parameters && ParameterRule.WhatIsWrong(parameters) is { } wrong)
            return wrong.Sentence;
        if (task.Deadline is { } deadline && deadline.UtcDateTime <= now)
            return $"The deadline {deadline.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC has passed already; expected a time in the future.";
        if (task.WebhookUrl is { Length: > 0 } url
            && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
            return $"webhookUrl is '{Cut(url)}'; expected an absolute http or https address.";
        return null;
    }

    /// <summary>Labels are copied into every event and every list, so they are labels and not content.</summary>
    internal static string? WhatIsWrong(IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null)
            return null;
        if (metadata.Count > MostLabels)
            return $"The metadata has {metadata.Count} entries; at most {MostLabels} are taken.";
        var characters = metadata.Sum(label => (long)label.Key.Length + (label.Value?.Length ?? 0));
        return characters <= LongestLabels
            ? null
            : $"The metadata has {characters:N0} characters; at most {LongestLabels:N0} are taken. "
                + "What is to be read belongs into the prompt.";
    }

    /// <summary>
    /// A name as its column keeps it. PostgreSQL's text has no U+0000. Prompts and metadata need no such care: they are kept as JSON, which
    /// writes that character as an escape, and serialised JSON is never edited.
    /// </summary>
    private static string? Cut(string? text, int longest = LongestName)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var clean = text.Replace("\0", "", StringComparison.Ordinal).Trim();
        return clean.Length <= longest ? clean : clean[..longest];
    }
}
