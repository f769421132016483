namespace LlmQueue.Tests.Chaos;

/// <summary>More work than there is room for, for a while or all at once.</summary>
public sealed class LoadFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    /// <summary>Ten requests a second, and a minute's worth at once.</summary>
    private const string TenASecond = """
        {
          "models": [
            { "id": "groq:first", "context": 32000, "maxOutput": 1000, "limits": { "rpm": 600, "tpm": 2000000 },
              "price": { "inputUsdPerMillion": 0.10, "outputUsdPerMillion": 0.40 } }
          ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:first"] } ]
        }
        """;

    private const string WideOpen = """
        {
          "models": [
            { "id": "groq:first", "context": 32000, "maxOutput": 1000, "limits": { "rpm": 600000, "tpm": 2000000000 },
              "price": { "inputUsdPerMillion": 0.10, "outputUsdPerMillion": 0.40 } }
          ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:first"] } ]
        }
        """;

    /// <summary>
    /// Half as much again as the limits let through, for as long as the minute that is saved up lasts and then as long again: nothing is
    /// given up, all but a few are never refused, and once the producer is done the lines drain at the limit.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_under_half_as_much_again_as_the_limits_let_through()
    {
        // A limiter that fills up by 600 a minute, and 15 tasks a second: after 40 s the saved minute is gone, and 600 have been asked.
        var tasks = Installation.RunsLong ? 1800 : 900;
        await using var installation = await Installation.Start(servers,
            new Shape { Catalogue = TenASecond, Tasks = tasks, Wave = Installation.RunsLong ? 3 : 30 });
        await installation.Run();
        await Invariant.Check(installation);
        var calls = await installation.Simulator.Log();
        Assert.InRange(calls.Count(call => call.Status == 429), 0, tasks / 100);
        // As fast as the provider allowed: from the first call to the last no more than a tenth over the least possible time.
        var least = TimeSpan.FromSeconds((tasks - 600) / 10.0);
        var took = calls.Max(call => call.ArrivedAt) - calls.Min(call => call.ArrivedAt);
        Moments.Write($"recovery: overload of {tasks} tasks, the last call {took.TotalSeconds:0.0} s after the first; "
            + $"the limits allow it after {least.TotalSeconds:0.0} s");
        Assert.InRange(took, TimeSpan.Zero, Math.Max(least.TotalSeconds, tasks / 15.0) * TimeSpan.FromSeconds(1.25));
    }

    /// <summary>
    /// Everything at once, far more than the workers have hands for: all of it is answered once, and the producer was never turned away.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_everything_comes_at_once()
    {
        var tasks = Installation.RunsLong ? 10_000 : 2_000;
        await using var installation = await Installation.Start(servers,
            new Shape { Catalogue = WideOpen, Tasks = tasks, Wave = tasks, LatencyMs = "5-20" });
        var moments = await installation.Run((1, () => Task.CompletedTask));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(TimeSpan.FromSeconds(10));
    }
}
