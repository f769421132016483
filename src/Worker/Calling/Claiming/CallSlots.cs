using System.Collections.Concurrent;
using System.Threading.Channels;
using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Leases;
using MassTransit;

namespace LlmQueue.Worker.Calling.Claiming;

/// <summary>
/// The slots for open calls, a fixed number for each provider. A worker that opens an attempt and has a slot free keeps the call to itself:
/// the claim is part of the commit that opens the attempt where its prompt is at hand, and no message is needed. Where no slot is free, or
/// this worker may count as gone, CallProvider goes to whichever worker has one.
/// </summary>
public sealed class CallSlots(WorkerIdentity identity, Heartbeat heartbeat, WorkerOptions options, TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _slots = new(StringComparer.Ordinal);
    private readonly Channel<LocalCall> _own = Channel.CreateUnbounded<LocalCall>();
    private readonly TaskCompletionSource _allMade = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _kept;
    private volatile bool _closed;

    /// <summary>Waits for a slot; the caller releases it.</summary>
    public Task Take(string provider, CancellationToken cancellationToken) => Slots(provider).WaitAsync(cancellationToken);

    public void Leave(string provider) => Slots(provider).Release();

    /// <summary>
    /// Keeps the call of the attempt that the transition opens, if a slot is free; false leaves it to a message. Where the prompt is at
    /// hand it is claimed here as well.
    /// </summary>
    public bool TryKeep(TaskRow task, AttemptRow attempt, UnitOfWork transition, ConsumeContext cause)
    {
        if (attempt.KeyAlias.Length == 0 || !heartbeat.IsHeard)
            return false;
        var provider = ModelId.Parse(attempt.Model).Provider;
        if (!Slots(provider).Wait(0))
            return false;
        // Counted before _closed is read: whoever closes sees either the count or nobody.
        Interlocked.Increment(ref _kept);
        if (_closed)
        {
            Made(provider);
            return false;
        }

        var claim = Claim(task, attempt, transition);
        transition.WhenSettled += outcome =>
        {
            if (outcome == CommitOutcome.Committed || (outcome is not null && claim is not null))
                _own.Writer.TryWrite(new LocalCall(task, provider, claim,
                    outcome != CommitOutcome.Committed || clock.GetUtcNow().UtcDateTime - transition.Now > options.ClaimsHoldFor, cause));
            else
                Made(provider);
        };
        return true;
    }

    /// <summary>The slot of a call that was kept is free again.</summary>
    public void Made(string provider)
    {
        Leave(provider);
        if (Interlocked.Decrement(ref _kept) == 0 && _closed)
            _allMade.TrySetResult();
    }

    /// <summary>
    /// From here on every call is left to a message, as this worker stops; the task ends when those it has kept are made.
    /// </summary>
    public Task Close()
    {
        _closed = true;
        if (Volatile.Read(ref _kept) == 0)
            _allMade.TrySetResult();
        return _allMade.Task;
    }

    internal ChannelReader<LocalCall> Own => _own.Reader;

    /// <summary>
    /// A pass asks something else than the task's prompt, and so does a task that waited for capacity: its prompt is
    /// read when it is claimed.
    /// </summary>
    private ClaimedCall? Claim(TaskRow task, AttemptRow attempt, UnitOfWork transition)
    {
        if (task.Pass.Name is not null || transition.Payloads.Find(payload => payload.Part == PayloadRow.Prompt) is not { } prompt)
            return null;
        (attempt.Worker, attempt.StartedAt) = (identity.Id, transition.Now);
        return new ClaimedCall(
            task.CorrelationId, task.Attempt, TaskStates.Calling, attempt.Model, attempt.Bucket, attempt.KeyAlias,
            task.CallOutputTokens, prompt.Content, task.Route.Chain, task.Faults, transition.Now);
    }

    private SemaphoreSlim Slots(string provider) =>
        _slots.GetOrAdd(provider, static (_, slots) => new SemaphoreSlim(slots), options.ConcurrentCalls);
}
