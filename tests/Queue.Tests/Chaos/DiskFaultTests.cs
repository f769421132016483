using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Chaos;

public sealed class DiskFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    /// <summary>
    /// The database's disk is full, data and log alike, and it falls or refuses as it likes. The workers keep what they have in hand; once
    /// there is room again, and the database was started again if it fell, every task ends exactly once and not one call was made twice.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_the_databases_disk_is_full()
    {
        await using var disk = await SmallDisk.Mount(megabytes: 256);
        await using var postgres = await PostgresServer.StartNew(disk.Place);
        var address = await postgres.CreateDatabase();
        await using var installation = await Installation.Start(servers, new Shape(), address);
        var moments = await installation.Run((150, async () =>
        {
            await disk.Fill();
            // Whoever writes first meets it: a commit, or, where everything waits for room, the Pacer.
            await Eventually.True("a worker says that the database does not take what it writes", TimeSpan.FromSeconds(60),
                () => installation.Workers.Any(worker => worker.Output.Any(line =>
                line.Contains("does not take commits", StringComparison.Ordinal)
                    || line.Contains("No space left on device", StringComparison.Ordinal))));
            // The fullness is the fault: there is nothing in it to wait for.
            await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, TestContext.Current.CancellationToken);
            disk.Free();
            var fell = !postgres.IsRunning;
            if (fell)
            {
                await postgres.Start();
            }

            Moments.Write($"the database {(fell ? "fell and was started again" : "stood")}");
        }));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(TimeSpan.FromSeconds(10));
    }
}
