using System.Text.Json;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Storage.Intake;

/// <summary>A set of pages as it was handed in, made into rows.</summary>
/// <param name="Row">The summary.</param>
/// <param name="Pages">A payload a page, parts "page/1", "page/2", …</param>
/// <param name="Refusal">Why it can never run, as a sentence; null when nothing is wrong.</param>
public sealed record AcceptedSummary(SummaryRow Row, IReadOnlyList<PayloadRow> Pages, string? Refusal);

/// <summary>A page as its row keeps it.</summary>
/// <param name="Title">Its title, if it has one of its own.</param>
/// <param name="Text">Plain text or Markdown.</param>
/// <param name="Html">HTML.</param>
/// <param name="Wrong">Why it cannot be summarised; then it has no content.</param>
public sealed record StoredPage(string? Title, string? Text, string? Html, string? Wrong);
