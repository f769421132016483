using System.Diagnostics;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Clients;

/// <summary>
/// A copy of examples/node with its packages installed; tests are skipped where there is no Node or its registry cannot be reached.
/// </summary>
internal static class NodeModules
{
    private static readonly Lazy<Task<(string? Folder, string Why)>> installed = new(() => Task.Run(Install));

    /// <summary>Runs a script there and returns what it wrote.</summary>
    public static async Task<string> Run(string script, params (string Name, string Value)[] environment)
    {
        var (folder, why) = await installed.Value;
        if (folder is null)
            Assert.Skip(why);
        var copy = Path.Combine(folder, Path.GetFileName(script));
        if (!File.Exists(copy))
            File.Copy(script, copy, overwrite: true);
        var (code, output, errors) = await Program(folder, "node", [copy], environment);
        Assert.True(code == 0, $"{Path.GetFileName(script)} ended with {code}: {errors}\n{output}");
        return output;
    }

    public static string Example(string name) => Path.Combine(BuiltPrograms.Repository, "examples", "node", name);

    private static async Task<(string? Folder, string Why)> Install()
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-node-").FullName;
        File.Copy(Example("package.json"), Path.Combine(folder, "package.json"));
        try
        {
            var (code, _, errors) = await Program(folder, "npm",
                ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", "--fetch-retries=1",
                    "--fetch-timeout=20000"],
                []);
            return code == 0 ? (folder, "") : (null, $"npm install failed: {errors}");
        }
        catch (TimeoutException late)
        {
            return (null, $"npm's registry does not answer: {late.Message}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (null, "Node and npm are not installed; their clients are not tested.");
        }
    }

    internal static async Task<(int Code, string Output, string Errors)> Program(
        string folder, string name, string[] arguments, (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(name, arguments)
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        foreach (var (variable, value) in environment)
            start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
        try
        {
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException late)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{name} {string.Join(' ', arguments)} did not end within two minutes.", late);
        }
    }
}
