using System.Runtime.Versioning;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.Harness;

/// <summary>How a command ended, and everything that it printed.</summary>
internal sealed record CommandRun(int Code, string Output);

/// <summary>What a command is expected to come to: its exit code, and a piece of a sentence that it prints.</summary>
internal sealed record CommandCase(string[] Arguments, int Code, string Says);

/// <summary>An installation of a test's own: its folder, its settings, pages and tasks, and a provider with a key.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class CommandHome : IAsyncLifetime
{
    public const string TaskId = "0199f0a2-7c1e-7b7a-9d55-3f1f6f0c8a11";

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(120);
    private readonly SemaphoreSlim _atOnce = new(2);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llmqueue-commands-");
    private readonly int _port = Ports.Free();
    private SimulatorProcess _simulator = null!;

    public string Folder => _folder.FullName;

    public string Data => Path.Combine(Folder, "data");

    public string Pages => Path.Combine(Folder, "pages");

    public string Tasks => Path.Combine(Folder, "tasks.jsonl");

    public Uri Url => new($"http://127.0.0.1:{_port}");

    public async ValueTask InitializeAsync()
    {
        // PostgreSQL runs as a user of its own where we are root, and has to pass.
        File.SetUnixFileMode(Folder, File.GetUnixFileMode(Folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        Directory.CreateDirectory(Pages);
        await File.WriteAllTextAsync(Path.Combine(Pages, "page.md"), "# Tides\n\nThe sea rises and falls twice a day.");
        await File.WriteAllTextAsync(Path.Combine(Folder, "catalogue.json"), TestCatalogue.Of(new TestModel("small")));
        await File.WriteAllTextAsync(Tasks, $$"""{"id":"{{TaskId}}","prompt":"Why is the sky blue?","kind":"question"}""");
        _simulator = await SimulatorProcess.Start();
    }

    public async ValueTask DisposeAsync()
    {
        await _simulator.DisposeAsync();
        _atOnce.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Starts the queue and waits until it says that it is there.</summary>
    public async Task<ProcessUnderTest> Serve(params (string Name, string? Value)[] settings)
    {
        var server = ProcessUnderTest.StartDotnet(BuiltPrograms.Embedded, [], Environment(settings));
        await server.WaitForLine("Ctrl-C stops it", Longest);
        return server;
    }

    /// <summary>In order, as SIGTERM does it.</summary>
    public static async Task Stop(ProcessUnderTest server)
    {
        server.Terminate();
        var code = await server.ExitCode(Longest);
        Assert.True(code == 0, $"The queue ended with {code}:\n{server.Tail()}");
    }

    /// <summary>Runs the commands two at a time; what did not come to what it should is said for all of them at once.</summary>
    internal Task Check(IEnumerable<CommandCase> cases, params (string Name, string? Value)[] settings) =>
        Check(cases, inTurn: false, settings);

    /// <summary>One after the other, where each needs the data folder for itself.</summary>
    internal Task CheckInTurn(IEnumerable<CommandCase> cases, params (string Name, string? Value)[] settings) =>
        Check(cases, inTurn: true, settings);

    internal async Task<CommandRun> Run(string[] arguments, params (string Name, string? Value)[] settings)
    {
        await _atOnce.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            await using var process = ProcessUnderTest.StartDotnet(BuiltPrograms.Embedded, arguments, Environment(settings));
            return new CommandRun(await process.ExitCode(Longest), string.Join('\n', process.Output));
        }
        finally
        {
            _atOnce.Release();
        }
    }

    private async Task Check(IEnumerable<CommandCase> cases, bool inTurn, (string Name, string? Value)[] settings)
    {
        var wrong = new List<string?>();
        if (inTurn)
            foreach (var one in cases)
                wrong.Add(await WhatIsWrong(one, settings));
        else
            wrong.AddRange(await Task.WhenAll(cases.Select(one => WhatIsWrong(one, settings))));
        Assert.True(wrong.TrueForAll(one => one is null), string.Join("\n", wrong.OfType<string>()));
    }

    private async Task<string?> WhatIsWrong(CommandCase expected, (string Name, string? Value)[] settings)
    {
        var run = await Run(expected.Arguments, settings);
        // A stack is for a fault of ours; whoever gave the command is told in a sentence.
        var fine = run.Code == expected.Code && run.Output.Contains(expected.Says, StringComparison.Ordinal)
            && !run.Output.Contains("   at ", StringComparison.Ordinal)
            && !run.Output.Contains("Unhandled exception", StringComparison.Ordinal);
        return fine
            ? null
            : $"'{string.Join(' ', expected.Arguments)}' should end with {expected.Code} and say '{expected.Says}'; "
                + $"it ended with {run.Code}:\n{run.Output}\n";
    }

    private Dictionary<string, string?> Environment((string Name, string? Value)[] settings)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LLMQUEUE_HOME"] = Folder, ["LLMQUEUE_DATA"] = Data, ["LLMQUEUE_URL"] = Url.ToString(),
            ["GROQ_API_KEY"] = "sk-key-1", ["GROQ_BASE_URL"] = _simulator.BaseUrl, ["LLMQUEUE_SIMULATOR"] = BuiltPrograms.Simulator,
        };
        foreach (var (name, value) in settings)
            variables[name] = value;
        return variables;
    }
}
