namespace LlmQueue.Tests.Chaos;

public sealed class EverythingFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    /// <summary>
    /// A worker is killed, the broker is killed and the database is killed, one after the other within the same five hundred tasks.
    /// Every task ends exactly once with the answer to its own prompt, the books balance, and nothing is called twice but what the
    /// killed worker had open.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_a_worker_the_broker_and_the_database_are_killed_one_after_the_other()
    {
        Assert.SkipUnless(Installation.RunsLong, "Runs with ./test.sh chaos only: each of the three has a test of its own.");
        await using var installation = await Installation.Start(servers, workers: 3);
        var moments = await installation.Run(
            (80, () => installation.Workers[0].Kill()),
            (180, async () =>
            {
                await servers.Rabbit.Kill();
                await servers.Rabbit.Start();
            }),
            (280, servers.Postgres.Restart)
        );
        await Invariant.Check(installation, moments.Faults[0]);
    }
}
