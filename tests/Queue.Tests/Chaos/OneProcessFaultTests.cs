using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmQueue.Embedded;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Chaos;

/// <summary>The command that a person gives, killed in the middle, and given again.</summary>
public sealed class OneProcessFaultTests : IAsyncDisposable
{
    private const int Pages = 40;
    private const int CallsAtOnce = 6;

    private const string Catalogue = """
        {
          "models": [
            { "id": "groq:first", "context": 32000, "maxOutput": 4000, "limits": { "rpm": 600, "tpm": 2000000 },
              "price": { "inputUsdPerMillion": 0.10, "outputUsdPerMillion": 0.40 } },
            { "id": "groq:second", "context": 32000, "maxOutput": 4000, "limits": { "rpm": 600, "tpm": 2000000 },
              "price": { "inputUsdPerMillion": 0.20, "outputUsdPerMillion": 0.80 } }
          ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:first", "groq:second"] } ],
          "pools": { "summary": ["groq:first", "groq:second"], "synthesis": ["groq:second", "groq:first"] }
        }
        """;

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("llmqueue-one-process-");
    private readonly List<ProcessUnderTest> runs = [];
    private SimulatorProcess? simulator;

    private string Data => Path.Combine(home.FullName, "data");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// The process is killed with pages summarised, pages being called and pages waiting; its database stays behind. The same
    /// command again goes on: every page is in the result exactly once with its own answer, the books balance, and what was called
    /// twice was open at the kill.
    /// </summary>
    [Fact]
    public async Task Goes_on_where_it_was_when_the_process_was_killed()
    {
        await KilledInTheMiddle(process => process.Kill());
    }

    /// <summary>The same when its database is killed with it, as by a machine that loses its power.</summary>
    [Fact]
    public async Task Goes_on_where_it_was_when_its_database_was_killed_too()
    {
        await KilledInTheMiddle(async process =>
        {
            var place = await PostgresFolder.Prepare(Data, _ => { }, Cancel);
            var database = (await File.ReadAllLinesAsync(PidFile(place), Cancel))[0];
            using var server = System.Diagnostics.Process.GetProcessById(int.Parse(database, CultureInfo.InvariantCulture));
            server.Kill();
            await process.Kill();
        });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var run in runs)
        {
            Moments.Write($"--- process {run.Id}\n{run.Tail(30)}");
            await run.DisposeAsync();
        }

        if (simulator is not null)
        {
            await simulator.DisposeAsync();
        }

        var place = await PostgresFolder.Prepare(Data, _ => { }, CancellationToken.None);
        if (File.Exists(PidFile(place)))
        {
            // A test that failed has left its server behind.
            await (await PrivatePostgres.Start(Data, _ => { }, CancellationToken.None)).Stop();
        }

        if (Directory.Exists(place.Root))
        {
            // Not always within our folder: where we are root, PostgreSQL's own user has to reach it.
            Directory.Delete(place.Root, recursive: true);
        }

        home.Delete(recursive: true);
    }

    private static string PidFile(PostgresFolder place) => Path.Combine(place.Data, "postmaster.pid");

    private async Task KilledInTheMiddle(Func<ProcessUnderTest, Task> kill)
    {
        var catalogue = Path.Combine(home.FullName, "catalogue.json");
        await File.WriteAllTextAsync(catalogue, Catalogue, Cancel);
        var pages = await WritePages();
        simulator = await SimulatorProcess.Start("--catalogue", catalogue, "--latency-ms", "300-600", "--log",
            Path.Combine(home.FullName, "calls.jsonl"));

        var first = Summarize();
        await Eventually.True("a third of the pages is summarised", Soon,
            async () => !first.HasExited && (await simulator.Statistics()).Delivered >= Pages / 3);
        var fault = new Moments();
        await fault.Of(() => kill(first));
        var killed = fault.Faults[0];

        var second = Summarize();
        var code = await second.ExitCode(Soon);
        var took = TimeProvider.System.GetUtcNow() - killed.Ended;
        Assert.True(code == 0, $"The second run ended with {code}:\n{second.Tail()}");

        var calls = await simulator.Log();
        var next = calls.Where(call => call.ArrivedAt > killed.Ended).Select(call => call.ArrivedAt - killed.Ended).DefaultIfEmpty().Min();
        var open = calls.Where(call => Invariant.WasOpen(call, killed)).Select(call => call.PromptHash!).ToHashSet();
        Moments.Write(
            $"recovery: the next call came {next.TotalSeconds:0.0} s after the kill, the result after {took.TotalSeconds:0.0} s; "
                + $"{calls.Count} calls for {calls.Select(call => call.PromptHash).Distinct().Count()} prompts, "
                + $"{open.Count} open or just answered at the kill"
        );
        Assert.Contains(second.Output, line => line.Contains("Going on with what was begun", StringComparison.Ordinal));
        await EveryPageIsThereOnce(pages);
        NoCallWasWasted(calls, open);
        await TheBooksBalance();
    }

    private async Task EveryPageIsThereOnce(IReadOnlyDictionary<string, string> pages)
    {
        using var report = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(home.FullName, "result.json"), Cancel));
        var results = report.RootElement.GetProperty("pages").EnumerateArray().ToDictionary(page => page.GetProperty("title").GetString()!,
            page => page.GetProperty("summary").GetString()!, StringComparer.Ordinal);
        Assert.Equal(pages.Keys.Order(StringComparer.Ordinal), results.Keys.Order(StringComparer.Ordinal));
        Assert.All(pages, page => Assert.Contains($"[answer to #{page.Value}]", results[page.Key], StringComparison.Ordinal));
        Assert.False(string.IsNullOrWhiteSpace(report.RootElement.GetProperty("summary").GetString()));
    }

    private static void NoCallWasWasted(IReadOnlyList<SimulatedCall> calls, IReadOnlySet<string> open)
    {
        Assert.All(calls.GroupBy(call => call.PromptHash!), group =>
            Assert.True(group.Count() == 1 || (group.Count() == 2 && open.Contains(group.Key)),
                $"#{group.Key} was asked {group.Count()} times: {string.Join("; ", group)}"));
        Assert.InRange(calls.Count - calls.Select(call => call.PromptHash).Distinct().Count(), 0, CallsAtOnce);
    }

    private async Task TheBooksBalance()
    {
        var postgres = await PrivatePostgres.Start(Data, _ => { }, Cancel);
        try
        {
            await using var database = NpgsqlDataSource.Create(postgres.ConnectionString);
            await Invariant.TheBooksBalance(database);
            // Events nobody subscribes to may still stand there: the next process publishes them.
            await Invariant.NothingIsLeft(database, exceptAnnouncements: true);
        }
        finally
        {
            await postgres.Stop();
        }
    }

    private ProcessUnderTest Summarize()
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LLMQUEUE_HOME"] = home.FullName,
            ["LLMQUEUE_DATA"] = Data,
            ["GROQ_API_KEY"] = "sk-chaos-1",
            ["GROQ_BASE_URL"] = simulator!.BaseUrl,
            ["CATALOGUE_PATH"] = Path.Combine(home.FullName, "catalogue.json"),
            ["CONCURRENT_CALLS"] = CallsAtOnce.ToString(CultureInfo.InvariantCulture),
        };
        string[] arguments =
        [
            "summarize", Path.Combine(home.FullName, "pages"), "--out", Path.Combine(home.FullName, "result.md"), "--json",
            Path.Combine(home.FullName, "result.json"),
        ];
        var run = ProcessUnderTest.StartDotnet(BuiltPrograms.Embedded, arguments, environment);
        runs.Add(run);
        return run;
    }

    /// <summary>The title of each page, and the hash of what the model is asked about it.</summary>
    private async Task<IReadOnlyDictionary<string, string>> WritePages()
    {
        var folder = home.CreateSubdirectory("pages");
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var number in Enumerable.Range(1, Pages))
        {
            var text = $"Harbour {number} has {number * 3} berths. Its tide comes {number} minutes late. "
                + $"The keeper of harbour {number} counts {number * 7} ships a day.";
            var title = $"page-{number:00}.txt";
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, title), text, Cancel);
            hashes[title] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"Page: {title}\n\n{text}")), 0, 6);
        }

        return hashes;
    }
}
