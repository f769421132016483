using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Chaos;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Leases;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmQueue.Tests.Calling;

/// <summary>
/// A worker that opens an attempt keeps its call where it has a place free; else whoever has one takes it. Either way it is called once.
/// </summary>
public sealed class OwnCallTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly WorkerOptions Quick = new()
    {
        CallTimeout = TimeSpan.FromSeconds(20), FirstBackOff = TimeSpan.FromMilliseconds(20), RescueEvery = TimeSpan.FromMilliseconds(500),
    };

    [Fact]
    public async Task A_call_is_claimed_in_the_commit_that_opens_its_attempt()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick);

        var id = await queue.Ask();
        await queue.InState(id, TaskStates.Completed);

        var attempt = Assert.Single(await queue.Attempts(id));
        Assert.Equal((queue.Services.GetRequiredService<WorkerIdentity>().Id, attempt.CreatedAt), (attempt.Worker, attempt.StartedAt));
        Assert.Single(await simulator.Log());
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task With_every_place_taken_a_call_waits_for_one_by_its_message()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick with { ConcurrentCalls = 1 });
        await simulator.PostFault(new { hang = true }, times: 1);

        var first = await queue.Ask("Which one hangs?");
        await Eventually.True("the first is called", TimeSpan.FromSeconds(10), async () => (await simulator.Statistics()).InFlight == 1);
        var second = await queue.Ask("Which one waits?");
        await queue.InState(second, TaskStates.Calling);
        Assert.Null(Assert.Single(await queue.Attempts(second)).StartedAt);
        await simulator.Reset();

        await queue.InState(second, TaskStates.Completed);
        await queue.InState(first, TaskStates.Completed);
        var attempt = Assert.Single(await queue.Attempts(second));
        Assert.True(attempt.StartedAt > attempt.CreatedAt, "the second was claimed when it was opened, although there was no place");
        await queue.AssertLedgerIsSettled();
    }

    /// <summary>
    /// A commit whose answer was lost comes back as a conflict, and perhaps it stands: the same worker takes the claim up again by its
    /// moment, and no other moment will do.
    /// </summary>
    [Fact]
    public async Task A_claim_whose_commit_is_in_doubt_is_known_again_by_its_moment()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick);
        await simulator.PostFault(new { hang = true });
        var id = await queue.Ask();
        await Eventually.True("it is called", TimeSpan.FromSeconds(10), async () => (await simulator.Statistics()).InFlight == 1);
        var attempt = Assert.Single(await queue.Attempts(id));
        var claims = queue.Services.GetRequiredService<Claims>();

        Assert.Null(await claims.Take(id, 1));
        Assert.Null(await claims.Take(id, 1, attempt.StartedAt!.Value.AddMilliseconds(1)));
        Assert.Equal(id, (await claims.Take(id, 1, attempt.StartedAt))?.TaskId);
    }

    /// <summary>
    /// The database commits and its word of it is on the way for longer than a worker may be silent: the attempt has been given to others
    /// meanwhile, and what was claimed then is not called now. So it is for a call that the worker kept, whose claim is part of a commit,
    /// and for one that a message rang for.
    /// </summary>
    [Theory]
    [InlineData(8)]
    [InlineData(0)]
    public async Task A_claim_that_is_heard_of_too_late_is_asked_for_again(int places)
    {
        var simulator = await simulators.Fresh();
        string direct;
        await using (var first = await Start(simulator, Quick))
            direct = first.Database;
        var address = new NpgsqlConnectionStringBuilder(direct);
        await using var wire = Wire.To(address.Port);
        address.Port = wire.Port;
        var options = Quick with { WorkerGoneAfter = TimeSpan.FromSeconds(2), ConcurrentCalls = Math.Max(1, places) };
        await using var queue = await QueueUnderTest.Start(Setup(simulator, options) with { Database = address.ConnectionString });
        await using var database = NpgsqlDataSource.Create(direct);
        var taken = places > 0 ? null : queue.Services.GetRequiredService<CallSlots>().Take("groq", CancellationToken.None);

        try
        {
            var id = Guid.CreateVersion7();
            if (taken is null)
            {
                // The word of a commit is the last of several: the wire is cut while the commit takes its time.
                await Do(
                    "create function take_your_time() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end'");
                await Do("create constraint trigger takes_its_time after insert on attempts deferrable initially deferred for each "
                    + "row execute function take_your_time()");
            }

            await queue.Publish(
                new LlmTask { Id = id, Prompt = "Who is called too late?", Kind = "analysis", Complexity = "low", MaxOutputTokens = 100 });
            await Eventually.True("its attempt is being opened", TimeSpan.FromSeconds(10), () => Is(taken is null
                ? "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
                : "select count(*) from attempts where started_at is null"));
            wire.Cut(Way.ToWorker);
            if (taken is not null)
                queue.Services.GetRequiredService<CallSlots>().Leave("groq");
            await Eventually.True("its attempt is claimed", TimeSpan.FromSeconds(10),
                () => Is("select count(*) from attempts where started_at is not null"));
            // As the Rescuer of another worker has it ended, and another attempt opened there.
            await Do("update attempts set ended_at = now(), outcome = 'abandoned'; "
                + "update tasks set attempt = 2, version = version + 1, state = 'WaitingToRetry'");
            await Eventually.True("it was claimed too long ago to be relied on", TimeSpan.FromSeconds(10),
                () => Is("select count(*) from attempts where started_at < now() - interval '1500 ms'"));
        }
        finally
        {
            wire.Mend();
        }

        var next = await queue.Ask("Who is called in time?");
        await queue.InState(next, TaskStates.Completed);
        Assert.Single(await simulator.Log());

        async Task Do(string sql)
        {
            await using var command = database.CreateCommand(sql);
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        async Task<bool> Is(string sql)
        {
            await using var command = database.CreateCommand(sql);
            return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken) is 1L;
        }
    }

    /// <summary>
    /// Its claim would be taken from it before it had called: whoever rings for the call claims it, and says in the same
    /// breath that it lives.
    /// </summary>
    [Fact]
    public async Task A_worker_that_may_count_as_gone_keeps_no_call()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Quick with { WorkerGoneAfter = TimeSpan.FromSeconds(2) });
        await using var database = NpgsqlDataSource.Create(queue.Database);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using (var unheard = new NpgsqlCommand("lock table workers in exclusive mode", connection, transaction))
            await unheard.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        await Eventually.True("no heartbeat has been heard for half a lease", TimeSpan.FromSeconds(10),
            () => Task.FromResult(!queue.Services.GetRequiredService<Heartbeat>().IsHeard));

        var id = await queue.Ask();
        await queue.InState(id, TaskStates.Calling);
        Assert.Null(Assert.Single(await queue.Attempts(id)).StartedAt);
        await transaction.RollbackAsync(TestContext.Current.CancellationToken);

        await queue.InState(id, TaskStates.Completed);
        Assert.Single(await queue.Attempts(id));
        Assert.Single(await simulator.Log());
    }

    [Fact]
    public async Task A_worker_that_stops_waits_for_the_calls_it_kept()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { delayMs = 1500 }, times: 1);
        Guid id;
        string database;
        await using (var queue = await Start(simulator, Quick))
        {
            database = queue.Database;
            id = await queue.Ask();
            await Eventually.True("it is called", TimeSpan.FromSeconds(10), async () => (await simulator.Statistics()).InFlight == 1);
        }

        await using var reader = await QueueUnderTest.Start(Setup(simulator, Quick) with { Database = database });
        var task = await reader.Task(id);
        Assert.Equal((TaskStates.Completed, 1), (task!.State, task.Attempt));
        Assert.Single(await simulator.Log());
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, WorkerOptions options) =>
        QueueUnderTest.Start(Setup(simulator, options));

    private static QueueSetup Setup(SimulatorProcess simulator, WorkerOptions options) =>
        new() { Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl, Options = options };
}
