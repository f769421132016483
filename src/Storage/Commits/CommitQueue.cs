using System.Threading.Channels;

namespace LlmQueue.Storage.Commits;

/// <summary>What waits to be committed, in the order of its coming. Small questions are held back for a moment, so that those that could share a call meet in one commit.</summary>
internal sealed class CommitQueue(TimeProvider clock)
{
    /// <summary>Small questions that could share a call wait this long for each other: a moment beside the call, and without it they would hardly ever meet.</summary>
    private static readonly TimeSpan QuestionsGather = TimeSpan.FromMilliseconds(10);

    private readonly Channel<IReadOnlyList<PendingCommit>> _waiting = Channel.CreateUnbounded<IReadOnlyList<PendingCommit>>();
    private readonly List<PendingCommit> _questions = [];

    public ChannelReader<IReadOnlyList<PendingCommit>> Reader => _waiting.Reader;

    public void Add(PendingCommit pending)
    {
        if (pending.UnitOfWork.Packing is not null)
            Gather(pending);
        else if (!_waiting.Writer.TryWrite([pending]))
            throw new OperationCanceledException("The store is stopping.");
    }

    /// <summary>The store stops: who comes from now on is turned away, and who still waits is let go.</summary>
    public void Close()
    {
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out var left))
            foreach (var pending in left)
                pending.Cancel();
    }

    /// <summary>The first of some questions opens a pack; it goes when it is full or its moment is over, in one piece, so that one commit sees all of it.</summary>
    private void Gather(PendingCommit question)
    {
        lock (_questions)
        {
            _questions.Add(question);
            if (_questions.Count >= Packing.Most)
                SendQuestions();
            else if (_questions.Count == 1)
                _ = SendQuestionsSoon();
        }
    }

    private async Task SendQuestionsSoon()
    {
        await Task.Delay(QuestionsGather, clock);
        lock (_questions)
            SendQuestions();
    }

    private void SendQuestions()
    {
        // A pack that was full has gone before its moment was over.
        if (_questions.Count == 0)
            return;
        IReadOnlyList<PendingCommit> pack = [.. _questions];
        _questions.Clear();
        if (!_waiting.Writer.TryWrite(pack))
            foreach (var question in pack)
                question.Cancel();
    }
}

/// <summary>A transition that somebody waits for, until it is durable or must be decided again.</summary>
internal sealed record PendingCommit(UnitOfWork UnitOfWork, TaskCompletionSource<CommitOutcome> Outcome)
{
    public Guid Subject { get; } = UnitOfWork.Task?.CorrelationId ?? UnitOfWork.Summary?.CorrelationId ?? Guid.NewGuid();

    public void Settle(CommitOutcome outcome)
    {
        UnitOfWork.Settle(outcome);
        Outcome.TrySetResult(outcome);
    }

    public void Fail(Exception e)
    {
        UnitOfWork.Settle(null);
        Outcome.TrySetException(e);
    }

    public void Cancel()
    {
        UnitOfWork.Settle(null);
        Outcome.TrySetCanceled();
    }
}
