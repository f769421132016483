namespace LlmQueue.Storage.Tasks;

/// <summary>A prompt or an answer: written once, never changed.</summary>
public sealed class PayloadRow
{
    public Guid SubjectId { get; set; }
    /// <summary>
    /// "prompt" and "prompt/critique" (JSON: the messages that are sent), "answer" and "draft" (text), "page/7", "extract/7" (JSON: what
    /// stands in for that page's summary) …
    /// </summary>
    public string Part { get; set; } = "";
    public string Content { get; set; } = "";

    public const string Prompt = "prompt";
    public const string Answer = "answer";

    /// <summary>Of a set of pages: the summary of the whole, by a model or, in the other part, by extraction.</summary>
    public const string Summary = "summary";
    public const string ExtractedSummary = "summary-extract";
    public const string Draft = "draft";

    /// <summary>
    /// What is sent in a pass: the question itself, or the messages made for it. Images are sent as they came, and are kept once.
    /// </summary>
    public static string PromptOf(string? pass) => pass is null or TaskPasses.Extraction ? Prompt : $"{Prompt}/{pass}";
    /// <summary>How an answer ended that is not simply a text which came to its end (JSON: finish_reason, tool_calls).</summary>
    public const string Ending = "ending";
    /// <summary>Why a line of a batch could not be taken in (JSON: OpenAI's error object).</summary>
    public const string Error = "error";
}
