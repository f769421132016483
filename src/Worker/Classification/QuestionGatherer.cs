using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Worker.Classification;

/// <summary>
/// Gathers questions to the small model for request batching: it delays their commits for a moment, so that those that may share a call
/// meet in one commit. Everything else is committed as it comes.
/// </summary>
public sealed class QuestionGatherer(GroupedSagaStore<TaskRow> store, GroupCommit commits, TimeProvider clock) : ISagaStore<TaskRow>
{
    /// <summary>Little beside the call, which takes seventy milliseconds or more; without it questions would hardly ever meet.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private Batch? _open;

    public Task<TaskRow?> Load(Guid id) => store.Load(id);

    public Task Send(IReadOnlyCollection<object> commands) => store.Send(commands);

    public Task<CommitOutcome> Commit(UnitOfWork transition) =>
        BatchedQuestions.IsShared(transition) ? Gather(transition) : store.Commit(transition);

    private async Task<CommitOutcome> Gather(UnitOfWork question)
    {
        var (batch, place) = Join(question);
        if (place == BatchedQuestions.MaxSize - 1)
            Send(batch);
        else if (place == 0)
            _ = SendSoon(batch);
        return await (await batch.Outcomes.Task)[place];
    }

    private (Batch Batch, int Place) Join(UnitOfWork question)
    {
        lock (_lock)
        {
            var batch = _open ??= new Batch();
            batch.Questions.Add(question);
            // Full: the next question opens another.
            if (batch.Questions.Count == BatchedQuestions.MaxSize)
                _open = null;
            return (batch, batch.Questions.Count - 1);
        }
    }

    private async Task SendSoon(Batch batch)
    {
        await Task.Delay(Gathering, clock);
        lock (_lock)
        {
            // A batch that was full has gone before its moment was over.
            if (_open != batch)
                return;
            _open = null;
        }

        Send(batch);
    }

    private void Send(Batch batch) => batch.Outcomes.SetResult(commits.CommitTogether(batch.Questions));

    private sealed class Batch
    {
        public List<UnitOfWork> Questions { get; } = [];

        /// <summary>Set when it is sent: one outcome a question.</summary>
        public TaskCompletionSource<IReadOnlyList<Task<CommitOutcome>>> Outcomes { get; } = new(
            TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
