using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Limits;
using LlmQueue.Storage;
using LlmQueue.Storage.Tables;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmQueue.Tests.Storage;

/// <summary>The value objects of a task's row are a view of its columns: none is lost, none is written twice.</summary>
public sealed class TaskRowMappingTests : IAsyncLifetime
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
    private ServiceProvider _store = null!;

    public async ValueTask InitializeAsync()
    {
        var database = await (await SharedServers.Postgres).CreateDatabase();
        _store = new ServiceCollection().AddLogging().AddMetrics().AddQueueStorage(database).BuildServiceProvider();
        await _store.PrepareStorage(TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Every_column_of_a_task_is_mapped_exactly_once()
    {
        await using var db = await Context();
        var mapped = db.Model.FindEntityType(typeof(TaskRow))!.GetFlattenedProperties().Select(property => property.GetColumnName());

        var columns = await db.Database.SqlQuery<string>($"""
            select column_name::text as "Value" from information_schema.columns
            where table_schema = 'public' and table_name = 'tasks'
            """).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(columns.Order(StringComparer.Ordinal), mapped.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_insert_a_copy_and_an_update_write_every_value_object()
    {
        var (inserted, copied, updated) = (Full(1), Full(2), Bare());

        await Insert([inserted, updated]);
        await using (var connection = await Open())
            await (await Tables()).Copy(connection, [copied], [], [], TestContext.Current.CancellationToken);
        var next = Full(3, updated.CorrelationId);
        next.Version = updated.Version + 1;
        await Send((await Tables()).UpdateTasks([next]));

        foreach (var row in new[] { inserted, copied, next })
        {
            var read = await Read(row.CorrelationId);
            Assert.Equal((row.Route, row.Pass, row.Reservation, row.Wait, row.CommandSentAt),
                (read.Route, read.Pass, read.Reservation, read.Wait, read.CommandSentAt));
        }
    }

    [Fact]
    public async Task A_row_without_anything_reads_as_nothing()
    {
        var row = Bare();
        await Insert([row]);

        var read = await Read(row.CorrelationId);

        Assert.Equal((TaskRoute.None, TaskPass.None, TaskReservation.None, TaskWait.None, TaskRow.NeverSent, false),
            (read.Route, read.Pass, read.Reservation, read.Wait, read.CommandSentAt, read.IsEstimated));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("groq:small")]
    [InlineData("groq:small openai:a/b:c gemini:large")]
    public async Task A_chain_is_read_as_it_was_written(string? text)
    {
        var (row, chain) = (Bare(), text is null ? null : ModelChain.Read(text));
        row.Route = new TaskRoute { Chain = chain };
        await Insert([row]);

        var read = (await Read(row.CorrelationId)).Route.Chain;
        await using var db = await Context();
        var stored = await db.Database.SqlQuery<string?>($"""select chain as "Value" from tasks where id = {row.CorrelationId}""")
            .SingleAsync(TestContext.Current.CancellationToken);

        Assert.Equal((chain, text), (read, stored));
        Assert.Equal(text?.Split(' ', StringSplitOptions.RemoveEmptyEntries), read?.Models.Select(model => model.ToString()));
        Assert.Equal(text?.Length == 0, read?.IsNobody == true);
    }

    [Fact]
    public void Nobody_is_the_chain_of_no_models()
    {
        Assert.Same(ModelChain.Nobody, ModelChain.Of(Array.Empty<ModelId>()));
        Assert.Same(ModelChain.Nobody, ModelChain.Read(""));
        Assert.Equal((true, null, 0), (ModelChain.Nobody.IsNobody, ModelChain.Nobody.FirstChoice, ModelChain.Nobody.Names.Count));
        Assert.Equal("groq:small", ModelChain.Of([ModelId.Parse("groq:small"), ModelId.Parse("groq:large")]).FirstChoice);
    }

    [Theory]
    [InlineData("the model is gone: decommissioned", DisabledCause.ModelGone)]
    [InlineData("no key is accepted: groq-1 was refused (401)", DisabledCause.NoKeyAccepted)]
    [InlineData("switched off by hand", DisabledCause.Other)]
    public void The_cause_of_a_disabled_bucket_is_read_from_its_sentence(string text, DisabledCause cause)
    {
        var reason = DisabledReason.Read(text);

        Assert.Equal((cause, text), (reason.Cause, reason.ToString()));
    }

    [Fact]
    public void A_disabled_reason_is_read_as_it_was_made()
    {
        foreach (var reason in new[] { DisabledReason.ModelGone("decommissioned"), DisabledReason.NoKeyAccepted("groq-1 was refused") })
            Assert.Equal(reason, DisabledReason.Read(reason.ToString()));
    }

    private static TaskRow Bare() => new()
    {
        CorrelationId = Guid.NewGuid(), Version = 1, SubmittedAt = Noon, UpdatedAt = Noon, CommandSentAt = TaskRow.NeverSent,
    };

    /// <summary>A row whose value objects have no default value anywhere; another for each number.</summary>
    private static TaskRow Full(int n, Guid? id = null) => new()
    {
        CorrelationId = id ?? Guid.NewGuid(), Version = 1, SubmittedAt = Noon, UpdatedAt = Noon, CommandSentAt = Noon.AddSeconds(n),
        Route = new TaskRoute { Rule = $"rule {n}", Chain = ModelChain.Read($"groq:small groq:{n}"), LoadBalanced = true },
        Pass = new TaskPass
        {
            Name = TaskPasses.Revision, OutputTokens = n, DraftedBy = "groq:small", Critic = "groq:large", DraftScore = 1.0 / n,
        },
        Reservation = new TaskReservation
        {
            Bucket = "groq/one/small", Tokens = n, Usd = n / 1000m, Budgets = IdList.Of(["installation/day", $"tenant/{n}"]),
            Lead = Guid.NewGuid(),
        },
        Wait = new TaskWait
        {
            For = "capacity", Reason = $"no room {n}", Since = Noon.AddSeconds(n), ExpectedAt = Noon.AddMinutes(n),
            DueAt = Noon.AddHours(n),
            QueueId = $"queue {n}", StartTag = n + 0.5, QueueTokens = n + 0.25, GrantedAt = Noon.AddDays(n),
        },
    };

    private async Task Insert(IReadOnlyList<TaskRow> rows) => await Send((await Tables()).InsertTasks(rows));

    private async Task Send(NpgsqlBatchCommand command)
    {
        await using var connection = await Open();
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { command } };
        await batch.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    private async Task<TaskRow> Read(Guid id)
    {
        await using var db = await Context();
        return await db.Tasks.AsNoTracking().SingleAsync(task => task.CorrelationId == id, TestContext.Current.CancellationToken);
    }

    private async Task<StoreTables> Tables()
    {
        await using var db = await Context();
        return new StoreTables(db.Model);
    }

    private async Task<NpgsqlConnection> Open() =>
        await _store.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(TestContext.Current.CancellationToken);

    private Task<QueueDb> Context() =>
        _store.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
}
