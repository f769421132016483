using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlmQueue.Catalogue;

namespace LlmQueue.Embedded.Hosting;

/// <summary>
/// The simulated provider that replaces real ones where no key is set: a process of its own that ends with this one, however it ends.
/// </summary>
internal sealed class SimulatedProvider : ICatalogueFollower, IDisposable
{
    private const string Ready = "listening on ";
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(30);

    private readonly Process process;

    private readonly HttpClient controls;

    private SimulatedProvider(Process process, Uri address) =>
        (this.process, BaseUrl, controls) = (process, new Uri(address, "openai/v1"),
            new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(10) });

    public Uri BaseUrl { get; }

    public static async Task<SimulatedProvider> Start(Installation installation, CancellationToken cancel)
    {
        var program = Find(installation.Home) ?? throw new RefusalException(
            "No provider has a key, and the simulated provider that would take their place is not built. "
                + "Start the queue with ./run.sh, which builds it, or set a key, for example GROQ_API_KEY.");
        string[] command =
        [
            "dotnet", program, "--urls", "http://127.0.0.1:0", "--catalogue", installation.Settings.CataloguePath,
            "--scale", Installation.SimulatedScale.ToString(CultureInfo.InvariantCulture), "--latency-ms", "300-900",
            "--parent", Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
        ];
        // Ctrl-C goes to every process of the terminal's group. In a session of its own the simulator still answers what is on its way.
        if (OperatingSystem.IsLinux() && (File.Exists("/usr/bin/setsid") || File.Exists("/bin/setsid")))
            command = ["setsid", .. command];
        var started = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })
            ?? throw new RefusalException("The simulated provider could not be started.");
        try
        {
            return new SimulatedProvider(started, await Address(started, cancel));
        }
        catch (TimeoutException late)
        {
            End(started);
            throw new RefusalException($"The simulated provider has not started within {StartsWithin.TotalSeconds:0} s.", late);
        }
        catch
        {
            End(started);
            throw;
        }
    }

    /// <summary>
    /// A model that was added is one it plays from now on. The limits it is told are those of the queue's own catalogue: it is as generous
    /// as the catalogue says.
    /// </summary>
    public async Task Follow(ModelCatalogue next, IReadOnlyList<string> changes, CancellationToken cancellationToken)
    {
        var models = next.Models.Select(m => new
        {
            name = m.Id.Name, context = m.Context, maxOutput = m.MaxOutput,
            rpm = m.Limits.RequestsPerMinute, rpd = m.Limits.RequestsPerDay, tpm = m.Limits.TokensPerMinute, tpd = m.Limits.TokensPerDay,
        });
        using var answer = await controls.PostAsJsonAsync("_sim/config", new { models }, JsonSerializerOptions.Web, cancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    public void Dispose()
    {
        controls.Dispose();
        End(process);
    }

    private static async Task<Uri> Address(Process simulator, CancellationToken cancel)
    {
        var said = new List<string>();
        var address = new TaskCompletionSource<Uri>(TaskCreationOptions.RunContinuationsAsynchronously);
        simulator.ErrorDataReceived += (_, line) => Hear(line.Data);
        simulator.OutputDataReceived += (_, line) =>
        {
            Hear(line.Data);
            if (line.Data?.IndexOf(Ready, StringComparison.Ordinal) is { } at and >= 0)
                address.TrySetResult(new Uri(line.Data[(at + Ready.Length)..].TrimEnd('/') + "/"));
        };
        simulator.BeginOutputReadLine();
        simulator.BeginErrorReadLine();
        var ended = simulator.WaitForExitAsync(cancel);
        if (await Task.WhenAny(address.Task, ended).WaitAsync(StartsWithin, TimeProvider.System, cancel) == address.Task)
            return await address.Task;
        lock (said)
            throw new RefusalException($"The simulated provider did not start: {string.Join(' ', said.TakeLast(3))}");

        void Hear(string? line)
        {
            lock (said)
                if (line is not null && said.Count < 20)
                    said.Add(line);
        }
    }

    private static string? Find(string home)
    {
        var named = Environment.GetEnvironmentVariable("LLMQUEUE_SIMULATOR");
        return new[] { named, InHome("Release"), InHome("Debug") }.FirstOrDefault(path => !string.IsNullOrEmpty(path) && File.Exists(path));

        string InHome(string configuration) =>
            Path.Combine(home, "tests", "ProviderSimulator", "bin", configuration, "net10.0", "ProviderSimulator.dll");
    }

    private static void End(Process simulator)
    {
        try
        {
            simulator.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }

        simulator.Dispose();
    }
}
