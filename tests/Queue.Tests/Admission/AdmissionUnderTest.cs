using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Scheduling;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace LlmQueue.Tests.Admission;

/// <summary>
/// A worker's admission on a real database, its rounds run by the test: lines are filled through the commits that fill them in earnest,
/// and the test's own clock decides what has room. With <see cref="StartWhole"/> it is the whole worker instead, on the bus in memory and
/// the machine's clock.
/// </summary>
internal sealed class AdmissionUnderTest : IAsyncDisposable
{
    public const string BucketId = "groq/groq-1/small";

    private readonly IHost _host;

    private AdmissionUnderTest(IHost host, FakeTimeProvider clock) => (_host, Clock) = (host, clock);

    /// <summary>Begins today: the database has a clock of its own that nobody moves.</summary>
    public FakeTimeProvider Clock { get; }

    private static DateTimeOffset NoonToday => new DateTimeOffset(TimeProvider.System.GetUtcNow().UtcDateTime.Date, TimeSpan.Zero)
        .AddHours(12);

    public IServiceProvider Services => _host.Services;

    public NpgsqlDataSource Database => Services.GetRequiredService<NpgsqlDataSource>();

    /// <param name="limits">Of the one model, as in a catalogue.</param>
    public static async Task<AdmissionUnderTest> Start(string limits)
    {
        var clock = new FakeTimeProvider(NoonToday);
        var builder = await Builder(limits, new Dictionary<string, string?>(), clock);
        var admission = new AdmissionUnderTest(builder.Build(), clock);
        await WorkerHost.Prepare(admission.Services, admission.Services.GetRequiredService<ILoggerFactory>().CreateLogger("test"));
        // The lines are opened by the test: of the loops only the commits run.
        await admission.Services.GetRequiredService<GroupCommit>().StartAsync(CancellationToken.None);
        // The limits are the provider's own word, and somebody has been answered: what is unknown of a new bucket is another test's affair.
        await admission.Run("update buckets set requests_known_until = 'infinity', settled_requests = 1, reserved_requests = 1");
        return admission;
    }

    public static async Task<AdmissionUnderTest> StartWhole(string limits, Dictionary<string, string?> variables)
    {
        var builder = await Builder(limits, variables, clock: null);
        var admission = new AdmissionUnderTest(builder.Build(), new FakeTimeProvider(NoonToday));
        await WorkerHost.Prepare(admission.Services, admission.Services.GetRequiredService<ILoggerFactory>().CreateLogger("test"));
        return admission;
    }

    public Task Begin() => _host.StartAsync(TestContext.Current.CancellationToken);

    /// <summary>
    /// New tasks come to stand in the line of the one bucket, all at this moment; their ids, in the order of their coming.
    /// </summary>
    public async Task<IReadOnlyList<Guid>> Park(string tenant, int count, int tokens = 300, short priority = Priorities.Normal)
    {
        var now = Clock.GetUtcNow().UtcDateTime;
        var line = WaitQueue.Of([BucketId], loadBalanced: false);
        Services.GetRequiredService<WaitQueueDirectory>().Know(line);
        var commits = Services.GetRequiredService<GroupCommit>();
        var rows = Enumerable.Range(0, count).Select(_ => new TaskRow
        {
            CorrelationId = Guid.CreateVersion7(), Version = 1, State = TaskStates.WaitingForCapacity, Tenant = tenant, Priority = priority,
            MaxOutputTokens = tokens - 1, PromptUnits = 0,
            Route = new TaskRoute { Chain = ModelChain.Read("groq:small") }, SubmittedAt = now, UpdatedAt = now, CommandSentAt = now,
            Wait = new TaskWait { For = "capacity", Since = now, QueueId = line.Id, QueueTokens = tokens },
        }).ToList();
        var outcomes = await Task.WhenAll(rows.Select(row => commits.Commit(new UnitOfWork(now)
        {
            Task = row, TaskIsNew = true,
            Enqueue = new Enqueue(line, tokens) { Expected = at => row.Wait = row.Wait with { ExpectedAt = at } },
        })));
        Assert.All(outcomes, outcome => Assert.Equal(CommitOutcome.Committed, outcome));
        return rows.ConvertAll(row => row.CorrelationId);
    }

    /// <summary>One scheduling cycle; the tasks it has booked capacity for.</summary>
    public async Task<IReadOnlyList<Guid>> Round()
    {
        var result = await Pace();
        return [.. result.Commands.OfType<CapacityGranted>().Select(grant => grant.TaskId)];
    }

    public Task<SchedulingResult> Pace() => Services.GetRequiredService<SchedulingCycle>().Run(TestContext.Current.CancellationToken);

    /// <summary>Nothing is left in the minute's windows.</summary>
    public Task Drain() => Run("update buckets set level_requests_minute = 0, level_tokens_minute = 0");

    public async Task Run(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> Ask<T>(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private static async Task<HostApplicationBuilder> Builder(string limits, Dictionary<string, string?> variables, TimeProvider? clock)
    {
        var database = await (await SharedServers.Postgres).CreateDatabase();
        variables = new Dictionary<string, string?>(variables, StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = database, ["GROQ_API_KEY"] = "sk-test",
        };
        var settings = QueueSettings.Read(variables, AppContext.BaseDirectory);
        var catalogue = ModelCatalogue.Parse($$"""
            { "models": [ { "id": "groq:small", "context": 100000, "maxOutput": 50000, "limits": {{limits}}, "price": { "inputUsdPerMillion": 1, "outputUsdPerMillion": 4 } } ],
              "routes": [ { "task": "any", "complexity": "any", "models": ["groq:small"] } ] }
            """, "catalogue.json");
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        if (clock is not null)
            builder.Services.AddSingleton(clock);
        builder.Services.AddQueueStorage(database);
        builder.Services.AddQueueWorker(settings, new CurrentCatalogue(catalogue), new WorkerOptions());
        builder.Services.AddQueueBus(null, WorkerBus.Register, WorkerBus.Endpoints);
        return builder;
    }
}
