using LlmQueue.Embedded.Doors;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Embedded.Summarizing;

namespace LlmQueue.Embedded.Tasks;

/// <summary>Shows the queue, one task or one summary; changes nothing.</summary>
internal static class StatusCommand
{
    public static async Task<int> Run(string? id, TimeProvider clock, CancellationToken stop)
    {
        if (id is not null && !Guid.TryParse(id, out _))
            throw new RefusalException($"'{id}' is no id; expected a UUID such as 0199aa41-5e0c-7c11-9f0e-0d2f4b1a9c55.");
        var installation = Installation.Read();
        await using var door = await QueueDoors.Open(installation, DoorUse.Look, clock, Console.Error.WriteLine, stop);
        await Console.Out.WriteAsync(id is null ? StatusText.Of(await door.Queue(stop)) : await One(door, Guid.Parse(id), stop));
        return ExitCodes.Done;
    }

    private static async Task<string> One(IQueueDoor door, Guid id, CancellationToken stop)
    {
        if (await door.Find(id, stop) is { } task)
            return StatusText.Of(task);
        if (await door.Summary(id, stop) is { } summary)
            return StatusText.Of(summary) + ReportText.ToScreen(SummaryReport.Of(summary, files: null, door.IsSimulated));
        throw new RefusalException($"Neither a task nor a summary has the id {id}. Those that ended long ago are removed (KEEP_ENDED_DAYS).");
    }
}
