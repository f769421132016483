using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Tests.Harness;
using LlmQueue.Tests.Lifecycle;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmQueue.Tests.Storage;

/// <summary>Transitions that share a transaction, and what becomes of the others when one of them cannot be written.</summary>
public sealed class GroupCommitTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public async Task One_that_cannot_be_written_does_not_fail_its_neighbours()
    {
        await using var queue = await Start();
        // PostgreSQL takes no text of more than a gigabyte and no number that is none; here, a rule of the test's own forbids one tenant.
        await queue.Execute("alter table tasks add constraint no_trouble check (tenant <> 'trouble')");
        var commits = queue.Services.GetRequiredService<GroupCommit>();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            try
            {
                return (await commits.Commit(NewTask(i is 20 or 150 ? "trouble" : "fine"), TestContext.Current.CancellationToken))
                    .ToString();
            }
            catch (PostgresException e)
            {
                return e.ConstraintName!;
            }
        }));

        Assert.Equal(198, outcomes.Count(o => o == "Committed"));
        Assert.Equal(["no_trouble", "no_trouble"], [outcomes[20], outcomes[150]]);
        Assert.Equal(198L, await queue.Scalar<long>("select count(*) from tasks"));
        Assert.Equal(198L, await queue.Scalar<long>("select count(*) from history"));
    }

    [Fact]
    public async Task A_row_that_has_moved_on_is_a_conflict_and_nothing_of_it_is_written()
    {
        await using var queue = await Start();
        var commits = queue.Services.GetRequiredService<GroupCommit>();
        var born = NewTask("acme");
        Assert.Equal(CommitOutcome.Committed, await commits.Commit(born, TestContext.Current.CancellationToken));
        var id = born.Task!.CorrelationId;

        var outcomes = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => commits.Commit(Moved(id, from: 1), TestContext.Current.CancellationToken)));
        var twice = await commits.Commit(NewTask("acme", id), TestContext.Current.CancellationToken);

        Assert.Single(outcomes, o => o == CommitOutcome.Committed);
        Assert.All(outcomes.Append(twice).Where(o => o != CommitOutcome.Committed), o => Assert.Equal(CommitOutcome.Conflict, o));
        Assert.Equal(2, (await queue.Task(id))!.Version);
        Assert.Equal(2L, await queue.Scalar<long>("select count(*) from history"));
        Assert.Equal(2L, await queue.Scalar<long>("select count(*) from tasks"));
    }

    [Fact]
    public async Task A_message_that_meets_a_conflict_is_decided_again_on_the_fresh_row()
    {
        await using var queue = await Start();
        // Cancel and an expired lease for the same call at once: whichever comes second is decided on what the first has left.
        for (var i = 0; i < 20; i++)
        {
            var row = await StatedRows.Insert(queue, TaskStates.Calling);
            await queue.Send(new CancelTask(row.CorrelationId), new LeaseExpired(row.CorrelationId, 1), new CancelTask(row.CorrelationId));
            await queue.InState(row.CorrelationId, TaskStates.Canceled);
            Assert.Single(await queue.History(row.CorrelationId), h => h.Entry == "Canceled");
        }

        await Eventually.True("what was reserved for them is settled", TimeSpan.FromSeconds(10),
            async () => (await queue.Buckets()).TrueForAll(b => b.ReservedTokens == b.SettledTokens + b.ReleasedTokens));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task More_is_never_reserved_than_the_row_has_whatever_the_views_believe()
    {
        await using var queue = await Start(new TestModel("first") { Tpm = 6000 }, new TestModel("second"));
        var commits = queue.Services.GetRequiredService<GroupCommit>();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ =>
        {
            var transition = NewTask("acme");
            transition.Reserve(new Reservation("groq/org-1/first", new ResourceDemand(1, 1000), null, []), () => { });
            return commits.Commit(transition, TestContext.Current.CancellationToken);
        }));

        // 5,970 at first, and 100 more a second.
        Assert.InRange(outcomes.Count(o => o == CommitOutcome.Committed), 5, 7);
        Assert.All(outcomes.Where(o => o != CommitOutcome.Committed), o => Assert.Equal(CommitOutcome.NoRoom, o));
        var bucket = (await queue.Buckets()).Single(b => b.Model == "first");
        Assert.True(bucket.LevelTokensMinute >= 0);
        Assert.Equal(1000L * outcomes.Count(o => o == CommitOutcome.Committed), bucket.ReservedTokens);
        Assert.Equal((long)outcomes.Count(o => o == CommitOutcome.Committed), await queue.Scalar<long>("select count(*) from tasks"));
    }

    [Fact]
    public async Task What_is_committed_while_the_database_restarts_is_durable_exactly_once()
    {
        await using var server = await PostgresServer.StartNew();
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl, Database = await server.CreateDatabase(),
        });
        var commits = queue.Services.GetRequiredService<GroupCommit>();
        var outcomes = new List<Task<CommitOutcome>>();
        var ids = new List<Guid>();

        var restarting = server.Restart();
        while (!restarting.IsCompleted || ids.Count < 300)
        {
            var transition = NewTask("acme");
            ids.Add(transition.Task!.CorrelationId);
            outcomes.Add(commits.Commit(transition, TestContext.Current.CancellationToken));
            await Task.WhenAny(outcomes[^1],
                Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken));
        }

        await restarting;
        // A commit whose answer was lost took place or did not: written again it finds its own row, which is a conflict
        // and never a second row.
        var settled = await Task.WhenAll(outcomes)
            .WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.All(settled, o => Assert.True(o is CommitOutcome.Committed or CommitOutcome.Conflict));
        NpgsqlConnection.ClearAllPools();
        Assert.Equal(ids.Order(), (await queue.Read(db => db.Tasks.Select(t => t.CorrelationId).ToListAsync())).Order());
        Assert.Equal((long)ids.Count, await queue.Scalar<long>("select count(*) from history"));
        Assert.Contains(queue.Warnings, w => w.Contains("The database does not take commits", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Events_that_a_dead_process_left_behind_are_published_by_the_sweep()
    {
        await using var queue = await Start();
        var (left, fresh) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await queue.Execute("insert into announcements (id, type, body, at) values ($1, 'LlmTaskCanceled', $2, now() "
            + "- interval '1 minute'), ($3, 'LlmTaskCanceled', $4, now())",
            Guid.NewGuid(), Body(left), Guid.NewGuid(), Body(fresh));

        Assert.Equal(1,
            await queue.Services.GetRequiredService<OutboxPublisher>().PublishLeftBehind(TestContext.Current.CancellationToken));

        Assert.Equal("acme", (await queue.Event<LlmTaskCanceled>(e => e.TaskId == left)).Tenant);
        // The fresh one is still somebody's who lives.
        Assert.Equal(1L, await queue.Scalar<long>("select count(*) from announcements"));
        Assert.DoesNotContain(queue.Events<LlmTaskCanceled>(), e => e.TaskId == fresh);

        static string Body(Guid task) => $$"""{"taskId":"{{task}}","tenant":"acme","at":"2026-11-21T12:00:00Z"}""";
    }

    private async Task<QueueUnderTest> Start(params TestModel[] models) => await QueueUnderTest.Start(new QueueSetup
    {
        Catalogue = TestCatalogue.Of(models.Length > 0 ? models : [new TestModel("first"), new TestModel("second")]),
        ProviderUrl = (await simulators.Fresh()).BaseUrl,
    });

    private static UnitOfWork NewTask(string tenant, Guid? id = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var row = new TaskRow
        {
            CorrelationId = id ?? Guid.CreateVersion7(), Version = 1, State = TaskStates.WaitingToRetry, Tenant = tenant, SubmittedAt = now,
            UpdatedAt = now, CommandSentAt = now, Wait = new TaskWait { DueAt = now.AddDays(1) },
        };
        var transition = new UnitOfWork(now) { Task = row, TaskIsNew = true };
        transition.Record(row.CorrelationId, "Submitted", row.State);
        return transition;
    }

    private static UnitOfWork Moved(Guid id, int from)
    {
        var transition = NewTask("acme", id);
        transition.Task!.Version = from + 1;
        transition.TaskIsNew = false;
        // A page of its own, as a summary's transition has: it must not outlive a conflict.
        transition.Created.Add(NewTask("acme").Task!);
        return transition;
    }
}
