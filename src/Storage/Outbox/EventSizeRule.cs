using System.Text.Json;
using LlmQueue.Contracts;

namespace LlmQueue.Storage.Outbox;

/// <summary>
/// What is sent of an event that is too large for a broker: RabbitMQ 4 refuses messages above 16 MiB (max_message_size). The content gives
/// way to the sentence that says where it is; who it is about and what became of it are always told. Pure.
/// </summary>
public static class EventSizeRule
{
    /// <summary>Half of what RabbitMQ takes as it is shipped: the envelope and escapes come on top.</summary>
    public const int MostBytes = 8 << 20;

    /// <summary>Fewer characters than this are below the limit however they are escaped, and need not be measured.</summary>
    private const int SurelyFits = MostBytes / 6;

    public static object Fitted(object message) =>
        Characters(message) <= SurelyFits || Bytes(message) <= MostBytes ? message : message switch
    {
        PagesSummarized pages => pages with
        {
            Pages = [.. pages.Pages.Select(page => page with { Summary = null })],
            Reason = With(pages.Reason, $"the pages' summaries are too large for a message: GET /v1/summaries/{pages.SummaryId}"),
        },
        LlmTaskCompleted task => task with { Output = $"The answer is too large for a message: GET /v1/tasks/{task.TaskId}" },
        _ => message,
    };

    private static long Characters(object message) => message switch
    {
        PagesSummarized pages => pages.Pages.Sum(page => (long)(page.Summary?.Length ?? 0) + page.Title.Length)
            + (pages.Summary?.Length ?? 0) + (pages.Answer?.Length ?? 0),
        LlmTaskCompleted task => task.Output.Length,
        _ => 0,
    };

    private static int Bytes(object message) => JsonSerializer.SerializeToUtf8Bytes(message, message.GetType(), StoredJson.Options).Length;

    private static string With(string? reason, string more) => reason is null ? more : $"{reason}; {more}";
}
