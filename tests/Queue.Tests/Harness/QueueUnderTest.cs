using System.Collections.Concurrent;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.Storage;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Batches;
using LlmQueue.Worker;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Tests.Harness;

/// <summary>What a <see cref="QueueUnderTest"/> is made of; what is left out is what most tests want.</summary>
public sealed record QueueSetup
{
    /// <summary>A catalogue's JSON; see <see cref="TestCatalogue"/>.</summary>
    public required string Catalogue { get; init; }

    /// <summary>Where a changed catalogue would appear; left out: it stays as it is.</summary>
    public CatalogueFile? CatalogueFile { get; init; }

    /// <summary>Where groq's keys lead to: a simulator's base URL.</summary>
    public required string ProviderUrl { get; init; }

    /// <summary>Organisation and secret of each of groq's keys.</summary>
    public IReadOnlyList<(string Organisation, string Secret)> Keys { get; init; } = [("org-1", "sk-key-1")];

    /// <summary>Quick where a test would wait for it.</summary>
    public WorkerOptions Options { get; init; } = new()
    {
        CallTimeout = TimeSpan.FromSeconds(20), FirstBackOff = TimeSpan.FromMilliseconds(20), RescueEvery = TimeSpan.FromMilliseconds(500),
    };

    /// <summary>More settings, for example another provider's key and base URL.</summary>
    public IReadOnlyDictionary<string, string?> Variables { get; init; } = new Dictionary<string, string?>();

    public decimal? DailyBudgetUsd { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>A database that is there already, for a second host on it; left out: a new one.</summary>
    public string? Database { get; init; }

    /// <summary>An AMQP address; left out: the in-memory bus.</summary>
    public string? Broker { get; init; }

    /// <summary>More receive endpoints, for messages of the test's own.</summary>
    public Action<IBusRegistrationContext, IBusFactoryConfigurator>? Endpoints { get; init; }

    /// <summary>True with Quartz and its sweeps; without it a test rings or sweeps itself.</summary>
    public bool Upkeep { get; init; }
}

/// <summary>
/// A worker in this process, put together as WorkerHost does it: real PostgreSQL, the in-memory bus (or a broker), real HTTP to a simulated
/// provider. What it publishes is collected; rows are read as any reader would see them.
/// </summary>
public sealed class QueueUnderTest : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly IHost host;
    private readonly ConcurrentQueue<object> events = new();
    private readonly WarningLog log = new();

    private QueueUnderTest(QueueSetup setup, string database)
    {
        Database = database;
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["GROQ_BASE_URL"] = setup.ProviderUrl, ["RABBITMQ_URL"] = setup.Broker,
        };
        foreach (var (name, value) in setup.Variables)
            variables[name] = value;
        for (var i = 0; i < setup.Keys.Count; i++)
        {
            variables[i == 0 ? "GROQ_API_KEY" : $"GROQ_API_KEY_{i + 1}"] = setup.Keys[i].Secret;
            variables[$"GROQ_ORG_{i + 1}"] = setup.Keys[i].Organisation;
        }

        var settings = QueueSettings.Read(variables, "/nowhere") with { DatabaseUrl = database, DailyBudgetUsd = setup.DailyBudgetUsd };
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSingleton(setup.Clock);
        builder.Services.AddQueueStorage(database);
        builder.Services.AddQueueWorker(settings,
            new CurrentCatalogue(ModelCatalogue.Parse(setup.Catalogue, "test.json"), setup.CatalogueFile), setup.Options);
        if (setup.Upkeep)
            builder.Services.AddQueueUpkeep(database);
        // Last, so that it stops first.
        builder.Services.AddQueueBus(settings.RabbitMq, WorkerBus.Register, (context, bus) =>
        {
            WorkerBus.Endpoints(context, bus);
            setup.Endpoints?.Invoke(context, bus);
            bus.ReceiveEndpoint(new TemporaryEndpointDefinition(), null, Collect);
        });
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(10));
        host = builder.Build();
    }

    public string Database { get; }

    public IServiceProvider Services => host.Services;

    /// <summary>Warnings and errors the host has logged, oldest first.</summary>
    public IReadOnlyCollection<string> Warnings => log.Lines;

    public static async Task<QueueUnderTest> Start(QueueSetup setup)
    {
        var database = setup.Database ?? await (await SharedServers.Postgres).CreateDatabase();
        var queue = new QueueUnderTest(setup, database);
        try
        {
            await WorkerHost.Prepare(queue.Services, queue.Services.GetRequiredService<ILogger<QueueUnderTest>>(),
                TestContext.Current.CancellationToken);
            await queue.host.StartAsync(TestContext.Current.CancellationToken);
            await queue.Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, Patience);
            return queue;
        }
        catch
        {
            await queue.DisposeAsync();
            throw;
        }
    }

    // ---- What a test does to it ----

    /// <summary>As a producer does it: an event on the bus.</summary>
    public async Task<Guid> Publish(LlmTask task)
    {
        var id = task.Id ?? Guid.CreateVersion7();
        await Services.GetRequiredService<IBus>().Publish(task with { Id = id }, TestContext.Current.CancellationToken);
        return id;
    }

    public Task<Guid> Ask(string prompt = "Why is the sky blue?", int maxOutputTokens = 50) =>
        Publish(new LlmTask { Prompt = prompt, Kind = "analysis", Complexity = "low", MaxOutputTokens = maxOutputTokens });

    public Task Send(params object[] commands) =>
        Services.GetRequiredService<CommandSender>().Send(commands, TestContext.Current.CancellationToken);

    public async Task<int> Execute(string sql, params object[] values)
    {
        await using var command = Command(sql, values);
        return await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    public async Task<T> Scalar<T>(string sql, params object[] values)
    {
        await using var command = Command(sql, values);
        return (T)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    // ---- What it shows ----

    public async Task<T> Read<T>(Func<QueueDb, Task<T>> read)
    {
        await using var db = await Services.GetRequiredService<IDbContextFactory<QueueDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        return await read(db);
    }

    public Task<TaskRow?> Task(Guid id) => Read(db => db.Tasks.AsNoTracking().FirstOrDefaultAsync(t => t.CorrelationId == id));

    public Task<List<AttemptRow>> Attempts(Guid id) =>
        Read(db => db.Attempts.AsNoTracking().Where(a => a.TaskId == id).OrderBy(a => a.Number).ToListAsync());

    public Task<List<HistoryRow>> History(Guid id) =>
        Read(db => db.History.AsNoTracking().Where(h => h.SubjectId == id).OrderBy(h => h.Version).ThenBy(h => h.Ordinal).ToListAsync());

    public Task<string?> Answer(Guid id) =>
        Read(db => db.Payloads.AsNoTracking().Where(p => p.SubjectId == id && p.Part == PayloadRow.Answer)
            .Select(p => (string?)p.Content).SingleOrDefaultAsync());

    public Task<Dictionary<string, string>> Payloads(Guid id) =>
        Read(db => db.Payloads.AsNoTracking().Where(p => p.SubjectId == id).ToDictionaryAsync(p => p.Part, p => p.Content));

    /// <summary>As GET /v1/tasks/{id} shows it.</summary>
    public async Task<TaskView> View(Guid id) =>
        (await new TaskViews(Services.GetRequiredService<IDbContextFactory<QueueDb>>(), Services.GetRequiredService<TimeProvider>())
            .Read(id, TestContext.Current.CancellationToken))!;

    public Task<List<TokenBucket>> Buckets() => Read(db => db.Buckets.AsNoTracking().OrderBy(b => b.Id).ToListAsync());

    public Task<Budget> Budget() => Read(db => db.Budgets.AsNoTracking().OrderBy(b => b.Id).FirstAsync());

    public IReadOnlyList<T> Events<T>() => [.. events.OfType<T>()];

    public Task<TaskRow> InState(Guid id, params string[] states) =>
        Becomes(id, string.Join(" or ", states), task => states.Contains(task.State));

    public Task<TaskRow> Ended(Guid id) => Becomes(id, "ended", task => task.EndedAt is not null);

    public async Task<TaskRow> Becomes(Guid id, string what, Func<TaskRow, bool> holds)
    {
        TaskRow? last = null;
        try
        {
            return await Eventually.Found($"task {id} is {what}", Patience,
                async () => (last = await Task(id)) is { } row && holds(row) ? row : null);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(
                $"{e.Message} It is {last?.State ?? "not there"}, attempt {last?.Attempt}, waiting: {last?.Wait.Reason}, failure: "
                    + $"{last?.FailureReason}. Logged: {string.Join('\n', log.Lines.TakeLast(5))}",
                e);
        }
    }

    /// <summary>The event of that type about that task.</summary>
    public Task<T> Event<T>(Func<T, bool> about) where T : class =>
        Eventually.Found($"{typeof(T).Name} is published", Patience,
            () => System.Threading.Tasks.Task.FromResult(events.OfType<T>().FirstOrDefault(about)));

    /// <summary>
    /// When nothing is open: what was reserved was settled or released in every bucket and budget, and nobody is counted as waiting.
    /// </summary>
    public async Task AssertLedgerIsSettled()
    {
        foreach (var bucket in await Buckets())
        {
            Assert.True(bucket.ReservedRequests == bucket.SettledRequests + bucket.ReleasedRequests,
                $"{bucket.Id}: {bucket.ReservedRequests} requests reserved, {bucket.SettledRequests} settled, "
                    + $"{bucket.ReleasedRequests} released");
            Assert.True(bucket.ReservedTokens == bucket.SettledTokens + bucket.ReleasedTokens,
                $"{bucket.Id}: {bucket.ReservedTokens} tokens reserved, {bucket.SettledTokens} settled, {bucket.ReleasedTokens} released");
            Assert.True(bucket.Waiting == 0, $"{bucket.Id}: {bucket.Waiting} are counted as waiting, and nobody waits");
        }

        foreach (var budget in await Read(db => db.Budgets.AsNoTracking().ToListAsync()))
        {
            Assert.True(budget.InFlightUsd == 0, $"{budget.Id}: {budget.InFlightUsd} US dollars are in flight, and nothing is called");
            Assert.True(budget.Waiting == 0, $"{budget.Id}: {budget.Waiting} are counted as waiting, and nobody waits");
        }
    }

    public async Task Stop() => await host.StopAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await Stop();
        if (host is IAsyncDisposable disposable)
            await disposable.DisposeAsync();
        else
            host.Dispose();
    }

    private NpgsqlCommand Command(string sql, object[] values)
    {
        var command = Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.AddWithValue(value);
        return command;
    }

    private void Collect(IReceiveEndpointConfigurator endpoint)
    {
        Keep<LlmTaskCompleted>(endpoint);
        Keep<LlmTaskDeferred>(endpoint);
        Keep<LlmTaskDowngraded>(endpoint);
        Keep<LlmTaskFailed>(endpoint);
        Keep<LlmTaskRejected>(endpoint);
        Keep<LlmTaskCanceled>(endpoint);
        Keep<PagesSummarized>(endpoint);
        Keep<CatalogueReloaded>(endpoint);
        Keep<ProviderHealthChanged>(endpoint);
    }

    private void Keep<T>(IReceiveEndpointConfigurator endpoint) where T : class =>
        endpoint.Handler<T>(context =>
        {
            events.Enqueue(context.Message);
            return System.Threading.Tasks.Task.CompletedTask;
        });

    private sealed class WarningLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> lines = new();

        public IReadOnlyCollection<string> Lines => lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel}: {formatter(state, exception)}{(exception is null ? "" : $" {exception}")}");

        public void Dispose()
        {
        }
    }
}
