using LlmQueue.Storage;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Files;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Batches;

/// <summary>Batches are the workers' to move: whoever handed one in may go, and so may the API it was handed to.</summary>
public sealed class BatchWorkersTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const int Lines = 700;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task With_the_API_gone_several_workers_bring_a_batch_to_its_end_and_each_step_is_made_by_one_of_them()
    {
        var simulator = await simulators.Fresh();
        var database = await (await SharedServers.Postgres).CreateDatabase();
        var batch = await HandIn(database);
        var setup = new QueueSetup { Catalogue = ApiUnderTest.CatalogueText, ProviderUrl = simulator.BaseUrl, Database = database };

        await using var first = await QueueUnderTest.Start(setup);
        await using var second = await QueueUnderTest.Start(setup);
        await Eventually.True("the batch is completed", BatchClient.Soon,
            async () => (await Read(first, db => db.Batches.SingleAsync(b => b.Id == batch, Cancel))).Status == BatchStatuses.Completed);

        var row = await Read(first, db => db.Batches.SingleAsync(b => b.Id == batch, Cancel));
        Assert.Equal((Lines, Lines - 1, 1), (row.Total, row.Completed, row.Failed));
        Assert.Equal(Lines - 1, (await simulator.Statistics()).Calls);
        // A step made by both would be there twice.
        Assert.Equal(["in_progress", "finalizing", "completed"], await Read(first,
            db => db.Database.SqlQuery<string>($"select step as \"Value\" from steps order by place").ToListAsync(Cancel)));
        Assert.Equal(["batch", "batch_output", "batch_output"],
            await Read(first, db => db.Files.Select(f => f.Purpose).OrderBy(p => p).ToListAsync(Cancel)));
        Assert.Equal(3,
            await Read(first, db => db.Database.SqlQuery<int>($"select count(*)::int as \"Value\" from files_made").SingleAsync(Cancel)));
        Assert.DoesNotContain(first.Warnings.Concat(second.Warnings), w => w.Contains("atch", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_worker_whose_lock_was_lost_while_it_wrote_takes_nothing_away_from_the_one_that_ended_the_batch()
    {
        var simulator = await simulators.Fresh();
        var database = await (await SharedServers.Postgres).CreateDatabase();
        var batch = await HandIn(database);
        var setup = new QueueSetup { Catalogue = ApiUnderTest.CatalogueText, ProviderUrl = simulator.BaseUrl, Database = database };
        await using var first = await QueueUnderTest.Start(setup);
        // The first who writes a file stands still in it until he is let go.
        await Read(first, db => db.Database.ExecuteSqlRawAsync("""
            create sequence writers;
            create function stand_still() returns trigger language plpgsql as $$ begin if nextval('writers') = 1 then perform pg_advisory_xact_lock(4711); end if; return new; end $$;
            create trigger stand_still before insert on file_chunks for each row execute function stand_still();
            """, Cancel));
        await using var gate = Npgsql.NpgsqlDataSource.Create(database);
        await using var keeper = await gate.OpenConnectionAsync(Cancel);
        await Execute(keeper, "select pg_advisory_lock(4711)");
        await Eventually.True("one stands still in the file it writes", BatchClient.Soon, async () => await Scalar(keeper,
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'") == 1);

        // Its session with the lock ends, as with a network that was cut for a moment; another worker comes.
        await Execute(keeper,
            "select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid() "
                + "and l.database = (select oid from pg_database where datname = current_database())");
        await using var second = await QueueUnderTest.Start(setup);
        await Eventually.True("the batch is completed", BatchClient.Soon,
            async () => (await Read(second, db => db.Batches.SingleAsync(b => b.Id == batch, Cancel))).Status == BatchStatuses.Completed);
        await Execute(keeper, "select pg_advisory_unlock(4711)");
        await Eventually.True("he who stood still has gone away", BatchClient.Soon,
            async () => await Read(second, db => db.Files.CountAsync(f => f.Status != FileStatuses.Processed, Cancel)) == 0
            && await Scalar(keeper, "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'")
                == 0);

        var row = await Read(second, db => db.Batches.SingleAsync(b => b.Id == batch, Cancel));
        Assert.Equal(Lines - 1, await LinesOf(second, row.OutputFileId));
        Assert.Equal(1, await LinesOf(second, row.ErrorFileId));
        Assert.Equal(["batch", "batch_output", "batch_output"],
            await Read(second, db => db.Files.Select(f => f.Purpose).OrderBy(p => p).ToListAsync(Cancel)));
    }

    private static async Task<int> LinesOf(QueueUnderTest queue, Guid? file)
    {
        var lines = 0;
        await foreach (var chunk in queue.Services.GetRequiredService<FileStore>().Read(file!.Value, 0, Cancel))
            lines += chunk.Count(b => b == '\n');
        return lines;
    }

    private static async Task Execute(Npgsql.NpgsqlConnection connection, string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private static async Task<long> Scalar(Npgsql.NpgsqlConnection connection, string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    /// <summary>Through an API that has no worker beside it, and is gone afterwards.</summary>
    private static async Task<Guid> HandIn(string database)
    {
        await using var api = await ApiUnderTest.Start(database, "anna:first-secret");
        using var anna = ApiUnderTest.Client(api, "first-secret");
        await using var db = await api.Services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(Cancel);
        await db.Database.ExecuteSqlRawAsync("""
            create table steps (place bigint generated always as identity, step text);
            create table files_made (id uuid);
            create function note_step() returns trigger language plpgsql as $$ begin if new.status <> old.status then insert into steps (step) values (new.status); end if; return new; end $$;
            create function note_file() returns trigger language plpgsql as $$ begin insert into files_made values (new.id); return new; end $$;
            create trigger note_step after update on batches for each row execute function note_step();
            create trigger note_file after insert on files for each row execute function note_file();
            """, Cancel);
        var file = await anna.Upload(string.Join('\n',
            Enumerable.Range(0, Lines).Select(i => BatchClient.Line($"line-{i}", $"Question {i}", i == 5 ? "nobody" : "auto"))));
        var created = await anna.CreateBatch(file);
        // Nobody is there to look at it.
        Assert.Equal("validating", (await anna.Get($"/v1/batches/{created.Text("id")}").Body(200)).Text("status"));
        return Guid.Parse(created.Text("id")["batch_".Length..]);
    }

    private static async Task<T> Read<T>(QueueUnderTest queue, Func<QueueDb, Task<T>> read)
    {
        await using var db = await queue.Services.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(Cancel);
        return await read(db);
    }
}
