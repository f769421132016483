namespace LlmQueue.Tests.Chaos;

public sealed class BrokerFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    private static readonly TimeSpan Recovered = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The broker is stopped and started again. What it had confirmed is not lost, what it had not is published again; every task ends
    /// exactly once, and not one call is made twice: the workers live, and an answer needs no broker to be kept.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_broker_is_restarted()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run((150, servers.Rabbit.Restart));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
    }

    /// <summary>The same when the broker is killed and has to recover from its log.</summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_broker_is_killed()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run((150, async () =>
        {
            await servers.Rabbit.Kill();
            await servers.Rabbit.Start();
        }));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
    }
}
