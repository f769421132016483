using System.Text;
using LlmQueue.Contracts;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>A file that is meant to be a page.</summary>
/// <param name="Title">Its path as the person knows it: below the folder that was named.</param>
/// <param name="Content">What is to be summarised; null when it cannot be read as text.</param>
/// <param name="Wrong">Why it cannot, as a sentence.</param>
internal sealed record PageFile(string Title, PageContent? Content, string? Wrong);

/// <summary>What was found under the paths of a command.</summary>
/// <param name="Pages">In the order of their paths; those that cannot be read among them, because they fail and do not vanish.</param>
/// <param name="Skipped">What is no page, a sentence each.</param>
internal sealed record FoundPages(IReadOnlyList<PageFile> Pages, IReadOnlyList<string> Skipped);
