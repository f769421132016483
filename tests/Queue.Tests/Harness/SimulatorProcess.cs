using System.Net.Http.Json;
using System.Text.Json;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// The provider that a test talks to instead of a real one, as the process it is; tests/ProviderSimulator/README.md says what it can do.
/// </summary>
public sealed class SimulatorProcess : IAsyncDisposable
{
    private const string Ready = "ProviderSimulator listening on ";
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(30);

    private readonly ProcessUnderTest process;

    private SimulatorProcess(ProcessUnderTest process, Uri address) =>
        (this.process, Client) = (process, new HttpClient { BaseAddress = address });

    public HttpClient Client { get; }

    public int ProcessId => process.Id;

    /// <summary>For <c>GROQ_BASE_URL</c> and its like.</summary>
    public string BaseUrl => new Uri(Client.BaseAddress!, "openai/v1").ToString();

    /// <summary>Any more arguments are the program's own: <c>--catalogue</c>, <c>--scale</c>, <c>--log</c>.</summary>
    public static async Task<SimulatorProcess> Start(params string[] arguments)
    {
        var parent = Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var started = ProcessUnderTest.StartDotnet(BuiltPrograms.Simulator,
            ["--urls", "http://127.0.0.1:0", "--parent", parent, .. arguments]);
        var line = await started.WaitForLine(Ready, StartsWithin);
        return new SimulatorProcess(started,
            new Uri(line[(line.IndexOf(Ready, StringComparison.Ordinal) + Ready.Length)..].TrimEnd('/') + "/"));
    }

    /// <summary>
    /// For example <c>new { models = new[] { new { name = "llama", tpm = 6000 } }, latencyMs = new[] { 5, 10 } }</c>; what is absent stays.
    /// </summary>
    public Task Configure(object change) => Post("_sim/config", change);

    /// <summary>
    /// The next <paramref name="times"/> calls that match meet the fault, for example <c>new { hang = true }</c>; no times: until removed;
    /// no match: every call, else <c>new { model, key, org, contains }</c>; a share below 1: that share of them, by chance.
    /// </summary>
    public Task PostFault(object fault, int? times = null, object? match = null, int skip = 0, double share = 1) =>
        Post("_sim/faults", new { match, times, skip, share, fault });

    public async Task ClearFaults()
    {
        using var answer = await Client.DeleteAsync("_sim/faults", TestContext.Current.CancellationToken);
        await Check(answer);
    }

    /// <summary>The calls after number <paramref name="since"/>, in the order they arrived.</summary>
    public async Task<IReadOnlyList<SimulatedCall>> Log(long since = 0) =>
        (await Client.GetFromJsonAsync<SimulatedCall[]>($"_sim/log?since={since}", TestContext.Current.CancellationToken))!;

    public async Task<SimulatorStatistics> Statistics() =>
        (await Client.GetFromJsonAsync<SimulatorStatistics>("_sim/stats", TestContext.Current.CancellationToken))!;

    /// <summary>An empty log, no faults, full buckets, and no call left hanging; settings stay.</summary>
    public Task Reset() => Post("_sim/reset", new { });

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await process.DisposeAsync();
    }

    private async Task Post(string path, object body)
    {
        using var answer = await Client.PostAsJsonAsync(path, body, JsonSerializerOptions.Web, TestContext.Current.CancellationToken);
        await Check(answer);
    }

    // The simulator says in a sentence what it did not understand, and that sentence is what a failing test needs.
    private static async Task Check(HttpResponseMessage answer) =>
        Assert.True(answer.IsSuccessStatusCode,
            $"The simulator answered {(int)answer.StatusCode}: "
                + $"{await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
}

/// <summary>One call as the provider saw it. Status 0: nothing was sent; delivered false: nobody was there to take it.</summary>
public sealed record SimulatedCall(
    long N,
    DateTimeOffset ArrivedAt,
    DateTimeOffset? EndedAt,
    string Org,
    string KeyTail,
    string Model,
    int Status,
    int PromptTokens,
    int? MaxTokens,
    int CompletionTokens,
    long Charged,
    string? PromptHash,
    string? AnswerHash,
    string Outcome,
    string? Window,
    bool Delivered,
    bool Stream
);

/// <summary>Totals since the last reset. AboveALimit counts what was refused for a limit, scripted throttles left out.</summary>
public sealed record SimulatorStatistics(
    int Calls,
    int InFlight,
    int PeakInFlight,
    int Delivered,
    long PromptTokens,
    long CompletionTokens,
    long ChargedTokens,
    IReadOnlyDictionary<string, int> ByStatus,
    IReadOnlyDictionary<string, int> ByOutcome,
    int AboveALimit,
    IReadOnlyList<SimulatedAccount> Accounts
);

/// <summary>One organisation and model.</summary>
public sealed record SimulatedAccount(
    string Org, string Model, int Calls, int AboveALimit, IReadOnlyDictionary<string, SimulatedWindow> Windows);

/// <summary>The highest share is that of the limit, 1 for a bucket that was emptied to the last drop.</summary>
public sealed record SimulatedWindow(double Limit, double Remaining, double HighestShare);
