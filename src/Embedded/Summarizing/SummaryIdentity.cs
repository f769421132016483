using System.Globalization;
using LlmQueue.Contracts;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>
/// Derives a summary's id from what is summarised, so that the same command finds what it began before it was killed. Each repetition is
/// another run: the newest run that is known counts.
/// </summary>
internal static class SummaryIdentity
{
    /// <summary>How many runs of the same pages are told apart.</summary>
    public const int MostRuns = 200;

    /// <summary>Whose work the command line hands in where the queue has no tokens.</summary>
    private const string CommandTenant = "default";

    /// <param name="pages">The pages that can be read.</param>
    /// <param name="question">The question, if any.</param>
    /// <param name="model">The caller's model, if any.</param>
    /// <param name="simulated">Made-up answers must not pass for real ones once a key is set.</param>
    public static IReadOnlyList<Guid> Runs(IReadOnlyList<PageFile> pages, string? question, string? model, bool simulated)
    {
        string[] asked = [simulated ? "simulated" : "real", question ?? "", model ?? ""];
        var content = DeterministicId.Of(CommandTenant, "page-set",
            [.. asked, .. pages.SelectMany(page => (string[])[page.Title, page.Content?.Text ?? "", page.Content?.Html ?? ""])]);
        return [.. Enumerable.Range(0, MostRuns)
            .Select(run => DeterministicId.Of(CommandTenant, "summary", $"{content}", run.ToString(CultureInfo.InvariantCulture)))];
    }
}
