using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Store;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Store.Views;
using Microsoft.EntityFrameworkCore;

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
            using var log = new FileLog(installation.LogFile, clock);
            await using var process = await OneProcess.Start(installation, new ProcessParts(WithApi: false, WithWorker: true, logging => logging.AddQueueFile(log)), Say, stop);
            if (process.Installation.IsSimulated)
                Say(Banner.Simulated);
            var id = await Attach(process, request, readable, clock, stop);
            if (await Watch(process, id, found.Pages.Count - readable.Count, clock, stop) is { } blocked)
            {
                Say(blocked);
                return ExitCodes.Failed;
            }

            var view = await process.Services.GetRequiredService<SummaryViews>().Read(id, stop);
            return await GiveOut(SummaryReport.Of(view!, found.Pages, process.Installation.IsSimulated), outputs);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Say("Stopped. Run the same command again and it goes on where it was.");
            return ExitCodes.Interrupted;
        }
    }

    /// <summary>The run to watch: one that was begun before, or a new one.</summary>
    private static async Task<Guid> Attach(OneProcess process, SummarizeRequest request, IReadOnlyList<PageFile> pages, TimeProvider clock, CancellationToken stop)
    {
        var runs = SummaryIdentity.Runs(pages, request.Question, request.Model, process.Installation.IsSimulated);
        await using var db = await process.Services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(stop);
        var known = await db.Summaries.AsNoTracking().Where(s => runs.Contains(s.CorrelationId)).ToDictionaryAsync(s => s.CorrelationId, stop);
        var newest = runs.ToList().FindLastIndex(known.ContainsKey);
        var last = newest < 0 ? null : known[runs[newest]];
        switch (last?.State)
        {
            case null:
                break;
            case SummaryStates.Completed when !request.Fresh:
                Say($"These pages were summarised before, at {last.EndedAt:yyyy-MM-dd HH:mm} UTC; this is that result. --fresh does it again.");
                return last.CorrelationId;
            case var state when !SummaryStates.Ends.Contains(state):
                Say($"Going on with what was begun at {last.SubmittedAt:yyyy-MM-dd HH:mm} UTC.");
                return last.CorrelationId;
        }

        var next = runs[Math.Min(newest + 1, runs.Count - 1)];
        var taken = SummaryIntake.Read(new SummarizePages { Id = next, Pages = [.. pages.Select(p => p.Content!)], Question = request.Question, Model = request.Model }, next, tenant: null, clock.GetUtcNow().UtcDateTime);
        if (taken.Refusal is { } refusal)
            throw new RefusalException(refusal);
        await process.Services.GetRequiredService<Submissions>().Submit(taken, stop);
        return next;
    }

    private static async Task<string?> Watch(OneProcess process, Guid id, int unreadable, TimeProvider clock, CancellationToken stop)
    {
        var services = process.Services;
        var watch = new SummaryWatch(services.GetRequiredService<SummaryViews>(), services.GetRequiredService<IDbContextFactory<QueueDb>>(), process.Installation.Settings, clock);
        await using var display = ProgressDisplays.Open(clock);
        return await watch.Follow(id, unreadable, display, stop);
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
        if (model is null || (ModelId.TryParse(model, out var id) && catalogue.Find(id) is not null))
            return;
        var question = NearestName.Question(model, catalogue.Models.Select(m => m.Id.ToString()));
        throw new RefusalException($"The model '{model}' is not in the catalogue{(question.Length > 0 ? question : $"; expected one of its {catalogue.Models.Count}, for example '{catalogue.Models[0].Id}'.")}");
    }

    private static void Say(string sentence) => Console.Error.WriteLine(sentence);
}
