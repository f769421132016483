using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmQueue.Catalogue;
using LlmQueue.Embedded.Clients;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Embedded.Tasks;

/// <summary>The arguments of the submit command; a file named "-" is the standard input.</summary>
internal sealed record SubmitRequest(string File, bool Wait, bool SkipBad);

/// <summary>The command ./run.sh submit: submits the tasks of a file, and waits for their ends when asked to.</summary>
internal static class SubmitCommand
{
    /// <summary>As large as a batch may be.</summary>
    private const int LargestFile = 200_000_000;

    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);
    private static readonly JsonSerializerOptions Json =
        new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Define(CommandContext context)
    {
        var file =
            new Argument<string>("FILE.jsonl") { Description = "A task a line, as POST /v1/tasks takes it; - is the standard input" };
        var wait = new Option<bool>("--wait")
        {
            Description = "Work until every task has ended, then print a JSON line for each, in the file's order",
        };
        var skip = new Option<bool>("--skip-bad") { Description = "Leave out lines that are wrong, instead of submitting nothing" };
        var command = new Command("submit", "Enqueues the tasks of a file. The same file again submits nothing twice.")
        {
            file, wait, skip,
        };
        command.SetAction((parsed, _) =>
            Run(new SubmitRequest(parsed.GetRequiredValue(file), parsed.GetValue(wait), parsed.GetValue(skip)), context.Clock,
                context.Stop));
        return command;
    }

    private static async Task<int> Run(SubmitRequest request, TimeProvider clock, CancellationToken stop)
    {
        var installation = Installation.Read();
        var file = TaskFile.Read(await Text(request.File, stop), new ModelChecks(new CurrentCatalogue(installation.Catalogue)),
            clock.GetUtcNow().UtcDateTime);
        foreach (var problem in file.Problems)
            Terminal.Say(problem);
        if (file.Problems.Count > 0 && !request.SkipBad)
        {
            Terminal.Say($"Nothing was submitted. Mend {(file.Problems.Count == 1 ? "the line" : $"the {file.Problems.Count} lines")}, "
                + $"or leave {(file.Problems.Count == 1 ? "it" : "them")} out with --skip-bad.");
            return ExitCodes.WrongUse;
        }

        if (file.Tasks.Count == 0)
            throw new RefusalException($"There is no task in '{request.File}'; "
                + "expected one JSON object a line, for example {\"prompt\": \"Why is the sky blue?\"}.");
        try
        {
            await using var queue = await QueueClients.Open(installation, request.Wait ? ClientUse.Work : ClientUse.Look, clock, stop);
            if (queue.IsSimulated)
                Terminal.Say(Banner.Simulated);
            await queue.Submit(file.Tasks, stop);
            var ids = file.Tasks.Select(task => task.Id!.Value).ToList();
            return request.Wait
                ? await Await(queue, ids, clock, stop)
                : GiveOutIds(ids, queue.HasWorker || installation.Settings.RabbitMq is not null);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Terminal.Say("Stopped. What was submitted is durable; run the same command again to go on waiting.");
            return ExitCodes.Interrupted;
        }
    }

    private static int GiveOutIds(List<Guid> ids, bool somebodyWorks)
    {
        ids.ForEach(id => Terminal.WriteLine(id.ToString()));
        if (!somebodyWorks)
            Terminal.Say($"{ids.Count} tasks are durable in the queue. They run when it does: ./run.sh, or this command with --wait.");
        return ExitCodes.Done;
    }

    private static async Task<int> Await(IQueueClient queue, List<Guid> ids, TimeProvider clock, CancellationToken stop)
    {
        var open = new List<Guid>(ids);
        var progress = new TaskProgress(ids.Count, clock);
        while (open.Count > 0)
        {
            var states = await queue.States(open, stop);
            open.RemoveAll(id => states.TryGetValue(id, out var state) && TaskStates.Ends.Contains(state));
            // Those that were asked and go on stand behind those that were not asked yet.
            open = [.. open.Where(id => !states.ContainsKey(id)), .. open.Where(states.ContainsKey)];
            if (progress.Line(ids.Count - open.Count) is { } line)
                Terminal.Say(line);
            if (open.Count > 0)
                await Task.Delay(Between, clock, stop);
        }

        var failed = 0;
        foreach (var id in ids)
        {
            var task = await queue.Find(id, stop);
            failed += task?.State == TaskStates.Completed ? 0 : 1;
            Terminal.WriteJson(JsonSerializer.Serialize(new { id, task?.State, task?.Model, task?.Output, task?.Reason }, Json));
        }

        Terminal.Say($"{ids.Count - failed} of {ids.Count} tasks have their answer.");
        return failed == 0 ? ExitCodes.Done : ExitCodes.SomePagesFailed;
    }

    private static async Task<string> Text(string file, CancellationToken stop)
    {
        try
        {
            return file == "-" ? await Console.In.ReadToEndAsync(stop) : TextOf(RegularFile.Read(file, LargestFile));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new RefusalException(
                $"The file '{file}' cannot be read: "
                    + $"{fault.Message}{(fault is NotAFileException ? " For a pipe, name - and lead it in with '|' or '<'." : "")}",
                fault);
        }
    }

    private static string TextOf(byte[] bytes)
    {
        using var reader = new StreamReader(new MemoryStream(bytes));
        return reader.ReadToEnd();
    }
}
