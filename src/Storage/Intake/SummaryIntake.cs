using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Storage.Intake;

/// <summary>Reads a set of pages, over HTTP and over the bus alike. Pure.</summary>
public static class SummaryIntake
{
    private const int MostPages = 20_000;
    private const int LongestPage = 20_000_000;
    private const int LongestText = 10_000;

    /// <exception cref="UnreadableMessageException">There are no pages in it.</exception>
    /// <param name="request">What was handed in.</param>
    /// <param name="id">The summary's.</param>
    /// <param name="tenant">Whose it is, where the door knows; else the request says.</param>
    /// <param name="now">The present.</param>
    /// <param name="wrong">Why a page has no content, by its place from 0, where that is known already.</param>
    public static AcceptedSummary Read(
        SummarizePages request, Guid id, string? tenant, DateTime now, IReadOnlyDictionary<int, string>? wrong = null)
    {
        if (request.Pages is null)
            throw new UnreadableMessageException(
                "The request has no 'pages'. Expected at least one, for example {\"pages\": [{\"title\": \"One\", \"text\": \"…\"}]}.");
        var row = new SummaryRow
        {
            CorrelationId = id,
            Tenant = Clean(tenant ?? request.Tenant) is { Length: > 0 } name ? name[..Math.Min(name.Length, 200)] : "default",
            Question = Clean(request.Question),
            Model = Clean(request.Model),
            Priority = request.Priority is null ? Priorities.Batch : Priorities.Parse(request.Priority) ?? Priorities.Batch,
            Deadline = request.Deadline?.UtcDateTime,
            Metadata = request.Metadata is { Count: > 0 } labels ? JsonSerializer.Serialize(labels, StoredJson.Options) : null,
            Pages = request.Pages.Count,
            SubmittedAt = now,
            UpdatedAt = now,
            CommandSentAt = now,
        };
        var pages = request.Pages.Take(MostPages)
            .Select((page, i) => new PayloadRow
            {
                SubjectId = id, Part = PartOf(i + 1),
                Content = JsonSerializer.Serialize(Stored(page, i + 1, wrong?.GetValueOrDefault(i)), StoredJson.Options),
            }).ToList();
        return new AcceptedSummary(row, pages, WhatIsWrong(request, now, wrong));
    }

    public static string PartOf(int page) => $"page/{page}";

    public static StoredPage ReadPage(string content) =>
        JsonSerializer.Deserialize<StoredPage>(content, StoredJson.Options) ?? new StoredPage(null, null, null, "The page's row is empty.");

    /// <summary>A page that cannot be summarised is kept without its content, with the sentence that says why.</summary>
    private static StoredPage Stored(PageContent? page, int number, string? known) =>
        (known ?? WhatIsWrong(page, number)) is { } wrong
            ? new StoredPage(Clean(page?.Title), null, null, wrong)
            : new StoredPage(Clean(page!.Title), page.Text, page.Html, null);

    /// <summary>
    /// What is wrong with one page, as a sentence; null when it can be summarised. A bad page fails alone: its
    /// neighbours are not its fault.
    /// </summary>
    public static string? WhatIsWrong(PageContent? page, int number)
    {
        if (page is null || (page.Text is null && page.Html is null))
            return page?.Url is null
                ? $"Page {number} has neither 'text' nor 'html'; expected one of them."
                : $"Page {number} is given by its address, and only the HTTP API fetches pages; send its text or its HTML.";
        if (page.Text is not null && page.Html is not null)
            return $"Page {number} has both 'text' and 'html'; expected one of them.";
        var text = page.Text ?? page.Html!;
        if (string.IsNullOrWhiteSpace(text))
            return $"Page {number} is empty; expected its text.";
        if (text.Contains('\0', StringComparison.Ordinal))
            return $"Page {number} contains the character U+0000, so it is binary data and not text. Extract its text first.";
        return text.Length > LongestPage
            ? $"Page {number} has {text.Length:N0} characters; at most {LongestPage:N0} are taken. Split it."
            : null;
    }

    private static string? WhatIsWrong(SummarizePages request, DateTime now, IReadOnlyDictionary<int, string>? known)
    {
        if (request.Pages!.Count == 0)
            return "'pages' is empty; expected at least one page.";
        if (request.Pages.Count > MostPages)
            return $"There are {request.Pages.Count:N0} pages; at most {MostPages:N0} are taken at once. "
                + "Hand them in as several summaries.";
        if (request.Question?.Length > LongestText)
            return $"The question has {request.Question.Length:N0} characters; at most {LongestText:N0} are taken. "
                + "What is to be read belongs into the pages.";
        if (request.Priority is not null && Priorities.Parse(request.Priority) is null)
            return $"The priority '{request.Priority}' is unknown; expected 'interactive', 'normal' or 'batch'.";
        if (TaskIntake.WhatIsWrong(request.Metadata) is { } labels)
            return labels;
        if (request.Deadline is { } deadline && deadline.UtcDateTime <= now)
            return $"The deadline {deadline.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC has passed already; expected a time in the future.";
        var wrong = request.Pages.Select((page, i) => known?.GetValueOrDefault(i) ?? WhatIsWrong(page, i + 1)).ToList();
        return wrong.TrueForAll(w => w is not null) ? $"None of the {wrong.Count} pages can be read. The first: {wrong[0]}" : null;
    }

    private static string? Clean(string? text) =>
        string.IsNullOrWhiteSpace(text) ? null : text.Replace("\0", "", StringComparison.Ordinal).Trim();
}
