using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Storage.Intake;

/// <summary>
/// Writes tasks and summaries that were handed in over HTTP or the command line. When a method returns, they are durable; the command that
/// follows may be lost.
/// </summary>
public sealed class Submissions(GroupCommit commits, CommandSender commandSender, TimeProvider clock)
{
    private const int ChunkSize = 500;

    /// <summary>
    /// Longer than a broker that answers needs; one that does not must not hold up a caller whose work is durable already.
    /// </summary>
    private static readonly TimeSpan LongestSend = TimeSpan.FromMilliseconds(250);

    /// <summary>Tasks whose values are right. A task whose id is known already changes nothing.</summary>
    public async Task Submit(IReadOnlyList<AcceptedTask> tasks, CancellationToken cancellationToken)
    {
        foreach (var chunk in tasks.Chunk(ChunkSize))
        {
            var transition = new UnitOfWork(clock.GetUtcNow().UtcDateTime);
            foreach (var taken in chunk)
            {
                if (taken.Refusal is not null)
                    throw new ArgumentException($"Task {taken.Row.CorrelationId} was refused and cannot be submitted: {taken.Refusal}");
                SubmittedTask.Create(taken.Row, taken.Prompt, transition.Now).AddTo(transition);
            }

            await commits.Commit(transition, cancellationToken);
            await Send(transition);
        }
    }

    /// <summary>A set of pages whose values are right. False when its id is known already, and then nothing was changed.</summary>
    public async Task<bool> Submit(AcceptedSummary summary, CancellationToken cancellationToken)
    {
        if (summary.Refusal is not null)
            throw new ArgumentException($"Summary {summary.Row.CorrelationId} was refused and cannot be submitted: {summary.Refusal}");
        var transition = new UnitOfWork(clock.GetUtcNow().UtcDateTime) { Summary = summary.Row, SummaryIsNew = true };
        summary.Row.State = SummaryStates.Submitted;
        summary.Row.Version = 1;
        transition.Payloads.AddRange(summary.Pages);
        transition.Record(summary.Row.CorrelationId, "Submitted", SummaryStates.Submitted, $"{summary.Row.Pages} pages");
        transition.Send(new StartSummary(summary.Row.CorrelationId));
        if (await commits.Commit(transition, cancellationToken) is not CommitOutcome.Committed)
            return false;
        await Send(transition);
        return true;
    }

    private async Task Send(UnitOfWork transition)
    {
        try
        {
            await commandSender.Send(transition.Commands, CancellationToken.None).WaitAsync(LongestSend, clock);
        }
        catch (TimeoutException)
        {
            // The send goes on; a command that does not arrive is sent again by the rescuer.
        }
    }
}
