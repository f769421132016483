using System.Text.Json;
using System.Text.Json.Nodes;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Routing;

/// <summary>What became of the day, from the queue's own rows.</summary>
internal sealed record DayResult(IReadOnlyList<TaskResult> Tasks, int Questions, int ClassifierCalls, decimal ClassifierUsd);

/// <summary>One task's end. Tokens are those of its first answer; the cost is that of all its passes and tries, but for what it cost to find out what it is.</summary>
internal sealed record TaskResult(Guid Id, string State, string Model, string Rule, string By, string? Kind, string? Complexity, long Input, long Output, decimal? Usd);

/// <summary>
/// The queue as it is installed, with a key for every provider, each leading to the simulator. Limits are taken out of the catalogue: the question is where tasks are sent,
/// not who had room; prices, routes and retirements are the project's own.
/// </summary>
internal sealed class Installation : IAsyncDisposable
{
    /// <summary>How often the simulated small model is wrong, in a kind and in a complexity.</summary>
    public const double ErrorRate = 0.15;

    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);
    private static readonly string[] Providers = ["GROQ", "MISTRAL", "GEMINI", "OPENROUTER", "OPENAI", "ANTHROPIC"];

    private readonly string _folder = Directory.CreateTempSubdirectory("llmqueue-routing-").FullName;
    private PostgresServer _postgres = null!;
    private RabbitServer _rabbit = null!;
    private SimulatorProcess _simulator = null!;
    private ProcessUnderTest _worker = null!;
    private string _database = "", _broker = "";

    public ModelCatalogue Catalogue { get; private set; } = null!;

    public static async Task<Installation> Start()
    {
        var installation = new Installation();
        var (postgres, rabbit) = (PostgresServer.StartNew(), RabbitServer.StartNew());
        installation._simulator = await SimulatorProcess.Start("--unlimited", "--latency-ms", "5-20");
        (installation._postgres, installation._rabbit) = (await postgres, await rabbit);
        await installation._simulator.Configure(new { sortingErrorRate = ErrorRate, sortingLabels = Day.Labelled.Select(one => new { text = one.Prompt, task = one.Kind, complexity = one.Complexity }) });
        (installation._database, installation._broker) = (await installation._postgres.CreateDatabase(), await installation._rabbit.CreateVirtualHost());
        var catalogue = Path.Combine(installation._folder, "catalogue.json");
        await File.WriteAllTextAsync(catalogue, Unlimited(await File.ReadAllTextAsync(Path.Combine(BuiltPrograms.Repository, "catalogue.json"))));
        installation.Catalogue = ModelCatalogue.Load(catalogue);
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = installation._database, ["RABBITMQ_URL"] = installation._broker, ["CATALOGUE_PATH"] = catalogue, ["LLMQUEUE_HOME"] = installation._folder,
        };
        foreach (var provider in Providers)
            (environment[$"{provider}_API_KEY"], environment[$"{provider}_BASE_URL"]) = ($"sk-{provider}", installation._simulator.BaseUrl);
        installation._worker = ProcessUnderTest.StartDotnet(BuiltPrograms.Worker, [], environment);
        await installation._worker.WaitForLine("The worker starts", StartsWithin);
        return installation;
    }

    /// <summary>Hands in the day as any producer does, and waits for its end.</summary>
    public async Task Work(IReadOnlyList<DayTask> day)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(_broker) }.CreateConnectionAsync();
        await Eventually.True("the worker consumes", StartsWithin, async () =>
        {
            await using var looking = await connection.CreateChannelAsync();
            return (await looking.QueueDeclarePassiveAsync(QueueNames.Intake)).ConsumerCount > 0;
        });
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        foreach (var some in day.Chunk(64))
            await Task.WhenAll(some.Select(task => channel.BasicPublishAsync("LlmQueue.Contracts:LlmTask", "", mandatory: true, new BasicProperties { Persistent = true, ContentType = "application/json" },
                JsonSerializer.SerializeToUtf8Bytes(new { id = task.Id, prompt = task.Prompt, kind = task.Kind, complexity = task.Complexity, priority = task.Priority, highStakes = task.HighStakes, maxOutputTokens = task.MaxOutputTokens })).AsTask()));
        await using var database = NpgsqlDataSource.Create(_database);
        var done = Eventually.True("the day is done", Patience, async () =>
        {
            await using var count = database.CreateCommand("select count(*) from tasks where ended_at is not null");
            return (long)(await count.ExecuteScalarAsync())! >= day.Count;
        });
        var gone = _worker.ExitCode(Patience);
        if (await Task.WhenAny(done, gone) == gone)
            throw new InvalidOperationException($"The worker has ended before the day was done:\n{_worker.Tail()}");
        await done;
    }

    public async Task<DayResult> Read()
    {
        await using var database = NpgsqlDataSource.Create(_database);
        var tasks = new List<TaskResult>();
        await using (var command = database.CreateCommand("""
            select t.id, t.state, coalesce(t.answered_model, ''), split_part(split_part(coalesce(t.route, ''), ';', 1), ' (', 1), coalesce(t.classified_by, ''), t.kind, t.complexity, coalesce(a.input_tokens, 0), coalesce(a.output_tokens, 0), w.usd
            from tasks t
            left join lateral (select sum(cost_usd) as usd, min(number) filter (where outcome = 'answered') as first from attempts where task_id = t.id and why <> 'asked what the task is') w on true
            left join attempts a on a.task_id = t.id and a.number = w.first
            """))
        await using (var reader = await command.ExecuteReaderAsync())
            while (await reader.ReadAsync())
                tasks.Add(new TaskResult(reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.IsDBNull(5) ? null : reader.GetString(5), reader.IsDBNull(6) ? null : reader.GetString(6),
                    reader.GetInt64(7), reader.GetInt64(8), reader.IsDBNull(9) ? null : reader.GetDecimal(9)));
        await using var classifier = database.CreateCommand("select count(*)::int, (count(*) filter (where pack is null or pack = task_id))::int, coalesce(sum(cost_usd), 0) from attempts where why = 'asked what the task is'");
        await using var row = await classifier.ExecuteReaderAsync();
        await row.ReadAsync();
        return new DayResult(tasks, row.GetInt32(0), row.GetInt32(1), row.GetDecimal(2));
    }

    public async ValueTask DisposeAsync()
    {
        _worker.Terminate();
        await _worker.DisposeAsync();
        await _simulator.DisposeAsync();
        await _rabbit.DisposeAsync();
        await _postgres.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Unlimited(string catalogue)
    {
        var root = JsonNode.Parse(catalogue, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!;
        foreach (var model in root["models"]!.AsArray())
            model!.AsObject().Remove("limits");
        return root.ToJsonString();
    }
}
