using System.Globalization;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Chaos;

/// <summary>
/// A whole installation of real processes: workers on RabbitMQ and PostgreSQL, a provider with latency and limits, a producer and a
/// subscriber outside.
/// </summary>
internal sealed class Installation : IAsyncDisposable
{
    public const int CallsAtOnce = 16;

    /// <summary>How this test's own connections are called in pg_stat_activity.</summary>
    public const string OurName = "chaos test";

    // Long enough for the longest, of which the long form has one that publishes for two minutes: a killed worker's calls are noticed, its
    // events published by another, and the lines drained.
    private static TimeSpan AllWithin => TimeSpan.FromSeconds(RunsLong ? 300 : 120);

    private readonly ChaosServers servers;
    private readonly DirectoryInfo home;
    private readonly Shape shape;
    private readonly List<ProcessUnderTest> workers = [];

    private Installation(
        ChaosServers servers, DirectoryInfo home, Shape shape, string database, string broker, SimulatorProcess simulator,
        Subscriber subscriber)
    {
        (this.servers, this.home, this.shape, DatabaseUrl, BrokerUrl, Simulator, Subscriber, Producer) = (servers, home, shape, database,
            broker, simulator, subscriber, new Producer(broker, shape));
        Database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database) { ApplicationName = OurName });
    }

    /// <summary>As ./test.sh chaos says.</summary>
    public static bool RunsLong { get; } = string.Equals(Environment.GetEnvironmentVariable("LLMQUEUE_TESTS"), "long",
        StringComparison.Ordinal);

    public NpgsqlDataSource Database { get; }

    /// <summary>Of the servers themselves, as a worker is told them that no fault stands between.</summary>
    public string DatabaseUrl { get; }

    public string BrokerUrl { get; }

    public SimulatorProcess Simulator { get; }

    public Subscriber Subscriber { get; }

    public Producer Producer { get; }

    public IReadOnlyList<ProcessUnderTest> Workers => workers;

    /// <summary>How many tasks are asked of it.</summary>
    public int Tasks => shape.Tasks;

    /// <summary>A folder of its own, gone with it.</summary>
    public string Home => home.FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static Task<Installation> Start(ChaosServers servers, int workers = 2) => Start(servers, new Shape { Workers = workers });

    public static async Task<Installation> Start(ChaosServers servers, Shape shape, string? database = null)
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-chaos-");
        var catalogue = Path.Combine(folder.FullName, "catalogue.json");
        await File.WriteAllTextAsync(catalogue, shape.Catalogue, Cancel);
        var simulator = await SimulatorProcess.Start("--catalogue", catalogue, "--latency-ms", shape.LatencyMs);
        var bus = await servers.Rabbit.CreateVirtualHost();
        var address = database ?? await servers.Postgres.CreateDatabase();
        var subscriber = await Subscriber.Start(bus, Cancel);
        var installation = new Installation(servers, folder, shape, address, bus, simulator, subscriber);
        for (var i = 0; i < shape.Workers; i++)
        {
            await installation.StartWorker();
        }

        await Eventually.True("every worker takes calls", TimeSpan.FromSeconds(60),
            async () => await Rabbit.Consumers(bus, "llm-provider-calls", Cancel) == shape.Workers);
        return installation;
    }

    public async Task<ProcessUnderTest> StartWorker()
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LLMQUEUE_HOME"] = home.FullName,
            ["DATABASE_URL"] = DatabaseUrl,
            ["RABBITMQ_URL"] = BrokerUrl,
            ["GROQ_API_KEY"] = "sk-chaos-1",
            ["GROQ_BASE_URL"] = Simulator.BaseUrl,
            ["CATALOGUE_PATH"] = Path.Combine(home.FullName, "catalogue.json"),
            ["BUDGET_DAILY_USD"] = "1000",
            ["CONCURRENT_CALLS"] = CallsAtOnce.ToString(CultureInfo.InvariantCulture),
            ["WORKER_GONE_AFTER_SECONDS"] = "3",
            ["RESCUE_EVERY_SECONDS"] = "1",
            ["CALL_TIMEOUT_SECONDS"] = "10",
        };
        foreach (var (name, value) in shape.Variables?.Invoke(this, workers.Count)
            ?? new Dictionary<string, string?>(StringComparer.Ordinal))
        {
            environment[name] = value;
        }

        var worker = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        workers.Add(worker);
        await worker.WaitForLine("The worker starts", TimeSpan.FromSeconds(60));
        return worker;
    }

    public Task<IReadOnlyDictionary<string, long>> MessagesByQueue() => servers.Rabbit.MessagesByQueue(BrokerUrl);

    /// <summary>
    /// All its tasks; each fault happens once as many as it names are completed, while others wait, are called, or still come.
    /// </summary>
    public async Task<Moments> Run(params (int AfterCompletions, Func<Task> Fault)[] faults)
    {
        var moments = new Moments();
        var publishing = Producer.Publish(Cancel);
        foreach (var (after, fault) in faults)
        {
            await Subscriber.Completions(after, AllWithin, Cancel);
            await moments.Of(fault);
        }

        await publishing.WaitAsync(AllWithin, TimeProvider.System, Cancel);
        await AllSettled();
        await moments.Report(this);
        return moments;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in workers)
        {
            // Read by nobody, unless the test fails.
            Moments.Write($"--- worker process {worker.Id}\n{worker.Tail(60)}");
            await worker.DisposeAsync();
        }

        await Subscriber.DisposeAsync();
        await Simulator.DisposeAsync();
        await Database.DisposeAsync();
        home.Delete(recursive: true);
    }

    /// <summary>Nothing is on its way any more: every task has ended, every event is published and heard.</summary>
    private async Task AllSettled()
    {
        try
        {
            await Eventually.True("every task ends and every event is heard", AllWithin, async () =>
            {
                await using var left = Database.CreateCommand(
                    "select (select count(*) from tasks where ended_at is null) + (select count(*) "
                        + "from announcements), (select count(*) from tasks)"
                );
                await using var row = await left.ExecuteReaderAsync(Cancel);
                return await row.ReadAsync(Cancel)
                    && row.GetInt64(0) == 0
                    && row.GetInt64(1) >= Producer.Accepted.Count
                    && Subscriber.Tasks >= Producer.Accepted.Count;
            });
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}\n{await Census.Take(this)}", late);
        }
    }
}
