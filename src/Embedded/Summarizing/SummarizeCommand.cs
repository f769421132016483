using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Doors;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>What the person asked for.</summary>
internal sealed record SummarizeRequest(IReadOnlyList<string> Paths, string? Question, string? Model, string? Out, string? Json, bool Fresh);

/// <summary>Summarises files and folders in this process, or goes on where a killed one was.</summary>
internal static class SummarizeCommand
{
    private const int MostNotes = 10;

    public static async Task<int> Run(SummarizeRequest request, TimeProvider clock, CancellationToken stop)
    {
        var installation = Installation.Read();
        CheckModel(request.Model, installation.Catalogue);
        var outputs = new[] { ("--out", request.Out), ("--json", request.Json) }.Where(o => o.Item2 is not null).Select(o => new OutputFile(o.Item1, Path.GetFullPath(o.Item2!))).ToList();
        outputs.ForEach(output => output.Try());
        var found = PageFiles.Read(request.Paths);
        Note(found);
        var readable = found.Pages.Where(page => page.Content is not null).ToList();
        if (readable.Count == 0)
        {
            await Console.Error.WriteLineAsync("None of the pages can be read, so there is nothing to summarise.");
            return ExitCodes.Failed;
        }

        try
        {
            await using var door = await QueueDoors.Open(installation, DoorUse.Work, clock, Say, stop);
            if (door.IsSimulated)
                Say(Banner.Simulated);
            var id = await Attach(door, request, readable, stop);
            if (await Watch(door, id, found.Pages.Count - readable.Count, clock, stop) is { } blocked)
            {
                Say(blocked);
                return ExitCodes.Failed;
            }

            var view = await door.Summary(id, stop);
            return await GiveOut(SummaryReport.Of(view!, found.Pages, door.IsSimulated), outputs);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Say("Stopped. Run the same command again and it goes on where it was.");
            return ExitCodes.Interrupted;
        }
    }

    /// <summary>The run to watch: the newest that was begun before, or a new one.</summary>
    private static async Task<Guid> Attach(IQueueDoor door, SummarizeRequest request, IReadOnlyList<PageFile> pages, CancellationToken stop)
    {
        SummaryProgress? last = null;
        foreach (var id in SummaryIdentity.Runs(pages, request.Question, request.Model, door.IsSimulated))
        {
            if (await door.Progress(id, stop) is { } known)
            {
                last = known;
                continue;
            }

            switch (last?.State)
            {
                case SummaryStates.Completed when !request.Fresh:
                    Say($"These pages were summarised before, at {last.EndedAt:yyyy-MM-dd HH:mm} UTC; this is that result. --fresh does it again.");
                    return last.Id;
                case { } state when !SummaryStates.Ends.Contains(state):
                    Say($"Going on with what was begun at {last.SubmittedAt:yyyy-MM-dd HH:mm} UTC.");
                    return last.Id;
            }

            await door.Submit(new SummarizePages { Id = id, Pages = [.. pages.Select(p => p.Content!)], Question = request.Question, Model = request.Model }, stop);
            return id;
        }

        throw new RefusalException($"These pages were summarised {SummaryIdentity.MostRuns} times already; change the question or a page, or wait until old results are removed.");
    }

    private static async Task<string?> Watch(IQueueDoor door, Guid id, int unreadable, TimeProvider clock, CancellationToken stop)
    {
        await using var display = ProgressDisplays.Open(clock);
        return await new SummaryWatch(door, clock).Follow(id, unreadable, display, stop);
    }

    private static async Task<int> GiveOut(SummaryReport report, List<OutputFile> outputs)
    {
        foreach (var output in outputs)
            output.Write(output.Option == "--json" ? ReportText.ToJson(report) : ReportText.ToMarkdown(report));
        await Console.Out.WriteLineAsync();
        await Console.Out.WriteAsync(ReportText.ToScreen(report));
        foreach (var output in outputs)
            Say($"Written to {output.Path}");
        return report.State != SummaryStates.Completed ? ExitCodes.Failed : report.PagesFailed > 0 ? ExitCodes.SomePagesFailed : ExitCodes.Done;
    }

    private static void Note(FoundPages found)
    {
        foreach (var sentence in found.Skipped.Take(MostNotes))
            Say($"Left out: {sentence}");
        if (found.Skipped.Count > MostNotes)
            Say($"Left out: {found.Skipped.Count - MostNotes} more files that are no pages.");
        foreach (var page in found.Pages.Where(page => page.Wrong is not null))
            Say($"{page.Title}: {page.Wrong}");
    }

    private static void CheckModel(string? model, ModelCatalogue catalogue)
    {
        if (new ModelChecks(new CurrentCatalogue(catalogue)).WhyUnknown(model) is { } unknown)
            throw new RefusalException(unknown);
    }

    private static void Say(string sentence) => Console.Error.WriteLine(sentence);
}
