using System.CommandLine;
using LlmQueue.Embedded.Clients;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Embedded.Summarizing;

namespace LlmQueue.Embedded.Tasks;

/// <summary>The command ./run.sh status: shows the queue, one task or one summary; changes nothing.</summary>
internal static class StatusCommand
{
    public static Command Define(CommandContext context)
    {
        var id = new Argument<string?>("ID") { Description = "A task's or a summary's id", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("status", "Shows what is queued, what waits and why; with an id, everything about that one.") { id };
        command.SetAction((parsed, _) => Run(parsed.GetValue(id), context.Clock, context.Stop));
        return command;
    }

    private static async Task<int> Run(string? id, TimeProvider clock, CancellationToken stop)
    {
        if (id is not null && !Guid.TryParse(id, out _))
            throw new RefusalException($"'{id}' is no id; expected a UUID such as 0199aa41-5e0c-7c11-9f0e-0d2f4b1a9c55.");
        var installation = Installation.Read();
        await using var queue = await QueueClients.Open(installation, ClientUse.Look, clock, stop);
        Terminal.Write(id is null ? StatusText.Of(await queue.Queue(stop)) : await One(queue, Guid.Parse(id), stop));
        return ExitCodes.Done;
    }

    private static async Task<string> One(IQueueClient queue, Guid id, CancellationToken stop)
    {
        if (await queue.Find(id, stop) is { } task)
            return StatusText.Of(task);
        if (await queue.Summary(id, stop) is { } summary)
            return StatusText.Of(summary) + ReportText.ToScreen(SummaryReport.Of(summary, files: null, queue.IsSimulated));
        throw new RefusalException(
            $"Neither a task nor a summary has the id {id}. Those that ended long ago are removed (KEEP_ENDED_DAYS).");
    }
}
