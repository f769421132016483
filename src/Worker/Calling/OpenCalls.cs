using System.Collections.Concurrent;
using System.Threading.Channels;
using LlmQueue.Contracts;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Upkeep;
using MassTransit;

namespace LlmQueue.Worker.Calling;

/// <summary>An attempt that this worker opened and claimed in one transaction.</summary>
/// <param name="Task">The row as that transaction wrote it.</param>
/// <param name="Claim">What the call needs.</param>
/// <param name="StartedAt">The moment of the claim.</param>
/// <param name="IsDoubted">True when the commit came back as a conflict: perhaps its answer was lost and it stands, so the claim is asked for again by its moment.</param>
/// <param name="Cause">The message that led to it.</param>
public sealed record OwnCall(TaskRow Task, ClaimedCall Claim, DateTime StartedAt, bool IsDoubted, ConsumeContext Cause);

/// <summary>
/// The places for open calls, so many a provider. A worker that opens an attempt and has a place free keeps the call to itself: the claim is part of the commit that opens
/// the attempt, and neither a message nor a statement of its own is needed. Where no place is free, CallProvider goes to whichever worker has one.
/// </summary>
public sealed class OpenCalls(WorkerIdentity identity, WorkerOptions options)
{
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _places = new(StringComparer.Ordinal);
    private readonly Channel<OwnCall> _own = Channel.CreateUnbounded<OwnCall>();
    private volatile bool _closed;

    /// <summary>Waits for a place; whoever has it gives it back.</summary>
    public Task Take(string provider, CancellationToken cancellationToken) => Places(provider).WaitAsync(cancellationToken);

    public void Leave(string provider) => Places(provider).Release();

    /// <summary>Claims the attempt that the transition opens, if its prompt is at hand and a place is free; false leaves it to a message.</summary>
    public bool TryKeep(TaskRow task, AttemptRow attempt, Transition transition)
    {
        // A pass, or a classification, asks something else than the task's prompt.
        if (_closed || transition.Cause is not { } cause || task.Pass is not null || attempt.KeyAlias.Length == 0 || transition.Payloads.Find(payload => payload.Part == PayloadRow.Prompt) is not { } prompt)
            return false;
        var provider = ModelId.Parse(attempt.Model).Provider;
        if (!Places(provider).Wait(0))
            return false;
        (attempt.Worker, attempt.StartedAt) = (identity.Id, transition.Now);
        var claim = new ClaimedCall(task.CorrelationId, task.Attempt, TaskStates.Calling, attempt.Model, attempt.Bucket, attempt.KeyAlias, task.CallOutputTokens, prompt.Content, task.Chain, task.Faults, transition.Now);
        transition.WhenSettled += outcome =>
        {
            if (outcome is CommitOutcome.Committed or CommitOutcome.Conflict)
                _own.Writer.TryWrite(new OwnCall(task, claim, transition.Now, outcome == CommitOutcome.Conflict, cause));
            else
                Leave(provider);
        };
        return true;
    }

    /// <summary>From here on every call is left to a message: this worker stops.</summary>
    public void Close() => _closed = true;

    internal IAsyncEnumerable<OwnCall> Own(CancellationToken cancellationToken) => _own.Reader.ReadAllAsync(cancellationToken);

    internal bool TryNextOwn(out OwnCall? call) => _own.Reader.TryRead(out call);

    private SemaphoreSlim Places(string provider) => _places.GetOrAdd(provider, static (_, places) => new SemaphoreSlim(places), options.ConcurrentCalls);
}
