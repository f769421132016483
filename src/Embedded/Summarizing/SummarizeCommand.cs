using System.CommandLine;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Clients;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>The arguments of the summarize command.</summary>
internal sealed record SummarizeRequest(
    IReadOnlyList<string> Paths, string? Question, string? Model, string? Out, string? Json, bool Fresh);

/// <summary>The command ./run.sh summarize: summarises files and folders in this process, or continues where a killed one was.</summary>
internal static class SummarizeCommand
{
    private const int MostNotes = 10;

    public static Command Define(CommandContext context)
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "Files or folders of .md, .txt, .html, .htm", Arity = ArgumentArity.OneOrMore,
        };
        var question = new Option<string?>("--question") { Description = "What you want to know from the pages", HelpName = "TEXT" };
        var model = new Option<string?>("--model")
        {
            Description = "The model for the plan and the answer, as 'provider:model'; the pages are spread over the pool", HelpName = "ID",
        };
        var markdown = new Option<string?>("--out") { Description = "Write the result as Markdown", HelpName = "FILE" };
        var json = new Option<string?>("--json") { Description = "Write everything as JSON", HelpName = "FILE" };
        var fresh = new Option<bool>("--fresh")
        {
            Description =
                "Do it again although it was done before; a run that was broken off is gone on with all the same, also without --fresh",
        };
        var command = new Command("summarize",
            "Summarises files or folders, page by page and as a whole. Run again after a crash, it goes on where it was.")
        {
            paths, question, model, markdown, json, fresh,
        };
        command.SetAction((parsed, _) => Run(
            new SummarizeRequest(
                parsed.GetRequiredValue(paths), CommandContext.Given(parsed.GetValue(question)),
                CommandContext.Given(parsed.GetValue(model)),
                parsed.GetValue(markdown), parsed.GetValue(json), parsed.GetValue(fresh)),
            context.Clock, context.Stop));
        return command;
    }

    private static async Task<int> Run(SummarizeRequest request, TimeProvider clock, CancellationToken stop)
    {
        var installation = Installation.Read();
        CheckModel(request.Model, installation.Catalogue);
        var outputs = new[] { ("--out", request.Out), ("--json", request.Json) }.Where(o => o.Item2 is not null)
            .Select(o => new OutputFile(o.Item1, Path.GetFullPath(o.Item2!))).ToList();
        outputs.ForEach(output => output.Try());
        var found = PageFiles.Read(request.Paths);
        Note(found);
        var readable = found.Pages.Where(page => page.Content is not null).ToList();
        if (readable.Count == 0)
        {
            Terminal.Say("None of the pages can be read, so there is nothing to summarise.");
            return ExitCodes.Failed;
        }

        try
        {
            await using var queue = await QueueClients.Open(installation, ClientUse.Work, clock, stop);
            if (queue.IsSimulated)
                Terminal.Say(Banner.Simulated);
            var id = await Attach(queue, request, readable, stop);
            if (await Watch(queue, id, found.Pages.Count - readable.Count, clock, stop) is { } blocked)
            {
                Terminal.Say(blocked);
                return ExitCodes.Failed;
            }

            var view = await queue.Summary(id, stop);
            return GiveOut(SummaryReport.Of(view!, found.Pages, queue.IsSimulated), outputs);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Terminal.Say("Stopped. Run the same command again and it goes on where it was.");
            return ExitCodes.Interrupted;
        }
    }

    /// <summary>The run to watch: the newest that was begun before, or a new one.</summary>
    private static async Task<Guid> Attach(
        IQueueClient queue, SummarizeRequest request, IReadOnlyList<PageFile> pages, CancellationToken stop)
    {
        SummaryProgress? last = null;
        foreach (var id in SummaryIdentity.Runs(pages, request.Question, request.Model, queue.IsSimulated))
        {
            if (await queue.Progress(id, stop) is { } known)
            {
                last = known;
                continue;
            }

            switch (last?.State)
            {
                case SummaryStates.Completed when !request.Fresh:
                    Terminal.Say($"These pages were summarised before, at {last.EndedAt:yyyy-MM-dd HH:mm} UTC; "
                        + "this is that result. --fresh does it again.");
                    return last.Id;
                case { } state when !SummaryStates.Ends.Contains(state):
                    Terminal.Say($"Going on with what was begun at {last.SubmittedAt:yyyy-MM-dd HH:mm} UTC.");
                    return last.Id;
            }

            await queue.Submit(new SummarizePages
            {
                Id = id, Pages = [.. pages.Select(p => p.Content!)], Question = request.Question, Model = request.Model,
            }, stop);
            return id;
        }

        throw new RefusalException($"These pages were summarised {SummaryIdentity.MostRuns} times already; "
            + "change the question or a page, or wait until old results are removed.");
    }

    private static async Task<string?> Watch(IQueueClient queue, Guid id, int unreadable, TimeProvider clock, CancellationToken stop)
    {
        await using var display = ProgressDisplays.Open(clock);
        return await new SummaryWatch(queue, clock).Follow(id, unreadable, display, stop);
    }

    private static int GiveOut(SummaryReport report, List<OutputFile> outputs)
    {
        foreach (var output in outputs)
            output.Write(output.Option == "--json" ? ReportText.ToJson(report) : ReportText.ToMarkdown(report));
        Terminal.Write("\n" + ReportText.ToScreen(report));
        foreach (var output in outputs)
            Terminal.Say($"Written to {output.Path}");
        return report.State != SummaryStates.Completed ? ExitCodes.Failed
            : report.PagesFailed > 0 ? ExitCodes.SomePagesFailed : ExitCodes.Done;
    }

    private static void Note(FoundPages found)
    {
        foreach (var sentence in found.Skipped.Take(MostNotes))
            Terminal.Say($"Left out: {sentence}");
        if (found.Skipped.Count > MostNotes)
            Terminal.Say($"Left out: {found.Skipped.Count - MostNotes} more files that are no pages.");
        foreach (var page in found.Pages.Where(page => page.Wrong is not null))
            Terminal.Say($"{page.Title}: {page.Wrong}");
    }

    private static void CheckModel(string? model, ModelCatalogue catalogue)
    {
        if (new ModelChecks(new CurrentCatalogue(catalogue)).WhyUnknown(model) is { } unknown)
            throw new RefusalException(unknown);
    }
}
