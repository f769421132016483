using LlmQueue.Limits;
using LlmQueue.Storage;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Tests.Admission;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Classification;

/// <summary>Questions to the small model that are committed in the same moment, on a real database.</summary>
public sealed class QuestionGathererTests
{
    private const string Plenty = """{ "rpm": 1000, "tpm": 1000000 }""";

    [Fact]
    public async Task A_batch_goes_when_it_is_full_and_the_next_one_when_its_moment_is_over()
    {
        await using var admission = await AdmissionUnderTest.Start(Plenty);
        var questions = Questions(admission, BatchedQuestions.MaxSize + 3);

        var outcomes = await Commit(admission, questions);

        Assert.All(outcomes, outcome => Assert.Equal(CommitOutcome.Committed, outcome));
        var sizes = (await Attempts(admission)).GroupBy(attempt => attempt.Pack).Select(pack => pack.Count()).Order();
        Assert.Equal([3, BatchedQuestions.MaxSize], sizes);
        Assert.Equal(2L, await admission.Ask<long>("select count(*) from tasks where packed_with is null"));
        Assert.Equal(3L, await admission.Ask<long>("select reserved_requests from buckets"));
    }

    /// <summary>The lead's row exists already: nothing of it is written, and the others are decided anew without it.</summary>
    [Fact]
    public async Task A_lead_that_meets_a_conflict_leaves_the_call_to_the_next()
    {
        await using var admission = await AdmissionUnderTest.Start(Plenty);
        var known = Assert.Single(Questions(admission, 1));
        Assert.Equal([CommitOutcome.Committed], await Commit(admission, [known]));
        var questions = Questions(admission, 4);
        questions[0].Task!.CorrelationId = questions[0].Opened[0].TaskId = known.Task!.CorrelationId;

        var outcomes = await Commit(admission, questions);

        Assert.Equal([CommitOutcome.Conflict, CommitOutcome.Committed, CommitOutcome.Committed, CommitOutcome.Committed], outcomes);
        var attempts = (await Attempts(admission)).Where(attempt => attempt.TaskId != known.Task.CorrelationId).ToList();
        Assert.All(attempts, attempt => Assert.Equal(questions[1].Task!.CorrelationId, attempt.Pack));
        Assert.Equal(3, attempts.Count);
        // The one that AdmissionUnderTest writes, and two calls.
        Assert.Equal(3L, await admission.Ask<long>("select reserved_requests from buckets"));
    }

    [Fact]
    public async Task Everything_else_is_committed_as_it_comes()
    {
        await using var admission = await AdmissionUnderTest.Start(Plenty);
        var question = Assert.Single(Questions(admission, 1));
        question.Shared = null;

        Assert.Equal([CommitOutcome.Committed], await Commit(admission, [question]));

        Assert.Null(Assert.Single(await Attempts(admission)).Pack);
    }

    [Fact]
    public async Task Questions_that_come_when_the_store_has_stopped_are_turned_away_and_are_not_open_any_more()
    {
        await using var admission = await AdmissionUnderTest.Start(Plenty);
        await admission.Services.GetRequiredService<GroupCommit>().StopAsync(TestContext.Current.CancellationToken);
        var settled = 0;
        var questions = Questions(admission, 2);
        questions.ForEach(question => question.WhenSettled += outcome => settled += outcome is null ? 1 : 0);

        var store = admission.Services.GetRequiredService<ISagaStore<TaskRow>>();
        var commits = questions.ConvertAll(store.Commit);

        foreach (var commit in commits)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => commit);
        Assert.Equal(2, settled);
    }

    [Fact]
    public async Task Of_those_that_may_share_a_call_only_the_first_looks_for_a_request()
    {
        await using var admission = await AdmissionUnderTest.Start(Plenty);
        var batched = admission.Services.GetRequiredService<BatchedQuestions>();

        Assert.Equal([0, BatchedQuestions.MaxSize], Enumerable.Range(0, BatchedQuestions.MaxSize * 2).Where(_ => batched.Begin()));

        for (var i = 0; i < BatchedQuestions.MaxSize * 2; i++)
            batched.Drop();
        Assert.True(batched.Begin());
    }

    private static async Task<CommitOutcome[]> Commit(AdmissionUnderTest admission, List<UnitOfWork> questions)
    {
        var store = admission.Services.GetRequiredService<ISagaStore<TaskRow>>();
        Assert.IsType<QuestionGatherer>(store);
        return await Task.WhenAll(questions.ConvertAll(store.Commit)).WaitAsync(TestContext.Current.CancellationToken);
    }

    private static List<UnitOfWork> Questions(AdmissionUnderTest admission, int count)
    {
        var batched = admission.Services.GetRequiredService<BatchedQuestions>();
        var model = admission.Services.GetRequiredService<BucketDirectory>().Find(AdmissionUnderTest.BucketId)!.Model;
        var now = admission.Clock.GetUtcNow().UtcDateTime;
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var row = new TaskRow
            {
                CorrelationId = Guid.CreateVersion7(), Version = 1, State = TaskStates.Classifying, Tenant = "acme", SubmittedAt = now,
                UpdatedAt = now, CommandSentAt = now, Attempt = 1,
            };
            var question = new UnitOfWork(now) { Task = row, TaskIsNew = true };
            question.Opened.Add(new AttemptRow
            {
                TaskId = row.CorrelationId, Number = 1, Model = "groq:small", Bucket = AdmissionUnderTest.BucketId, KeyAlias = "groq-1",
                CreatedAt = now,
            });
            question.Record(row.CorrelationId, "Submitted", row.State);
            question.Reserve(new Reservation(AdmissionUnderTest.BucketId, new ResourceDemand(1, 10), null, []), () => { });
            batched.Share(question, model, new QuestionSize(AsLead: 100, AsMember: 20));
            return question;
        })];
    }

    private static async Task<List<AttemptRow>> Attempts(AdmissionUnderTest admission)
    {
        await using var db = await admission.Services.GetRequiredService<IDbContextFactory<QueueDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        return await db.Attempts.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
    }
}
