using Npgsql;

namespace LlmQueue.Tests.Chaos;

/// <summary>One of two workers loses the network while it works. Nobody closes a connection: there is only silence.</summary>
public sealed class NetworkFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    // Longer than the lease of three seconds, and than a leader may be silent.
    private static readonly TimeSpan LongSilence = TimeSpan.FromSeconds(20);

    // The other worker goes on: it waits no longer than for the locks and the leadership of the one that fell silent.
    private static readonly TimeSpan OtherGoesOn = TimeSpan.FromSeconds(15);

    /// <summary>What a worker hears soon after, whichever of its connections was silent.</summary>
    private static readonly TimeSpan Recovered = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Between a worker, the one that leads, and the database, in either direction or both, for longer than its lease. Its open calls are
    /// made again by the other, and what it then says of them is too late: every task ends exactly once, the books balance, and nothing is
    /// called twice but what it had open.
    /// </summary>
    [Theory]
    [InlineData(Way.ToServer, false)]
    [InlineData(Way.ToWorker, false)]
    [InlineData(Way.Both, true)]
    public async Task Loses_and_doubles_nothing_when_a_worker_cannot_reach_the_database(Way way, bool forgetting)
    {
        Wire? wire = null;
        await using var installation = await Installation.Start(servers,
            new Shape { Variables = (i, worker) => worker == 0 ? Through(ref wire, i.DatabaseUrl) : None });
        await using var cut = wire!;
        var moments = await installation.Run((150, () => Silence(installation, cut, way, forgetting)));
        await Invariant.Check(installation, moments.Faults[0]);
        moments.AssertRecoveredWithin(Recovered);
    }

    /// <summary>Between a worker and the broker: the calls it has open need no broker to be kept, so nothing is called twice.</summary>
    [Theory]
    [InlineData(Way.ToServer, false)]
    [InlineData(Way.ToWorker, false)]
    [InlineData(Way.Both, true)]
    public async Task Loses_and_doubles_nothing_when_a_worker_cannot_reach_the_broker(Way way, bool forgetting)
    {
        Wire? wire = null;
        await using var installation = await Installation.Start(servers,
            new Shape { Variables = (i, worker) => worker == 0 ? ThroughBroker(ref wire, i.BrokerUrl) : None });
        await using var cut = wire!;
        var moments = await installation.Run((150, () => Silence(installation, cut, way, forgetting)));
        await Invariant.Check(installation);
        moments.AssertRecoveredWithin(Recovered);
        moments.AssertNeverStoodFor(OtherGoesOn);
    }

    private static Dictionary<string, string?> None => [];

    private static async Task Silence(Installation installation, Wire wire, Way way, bool forgetting)
    {
        wire.Cut(way);
        // The silence is the fault: there is nothing in it to wait for.
        await Task.Delay(LongSilence, TimeProvider.System, TestContext.Current.CancellationToken);
        Moments.Write($"as the database sees it:\n{await Census.Sessions(installation)}");
        wire.Mend(forgetting);
    }

    private static Dictionary<string, string?> Through(ref Wire? wire, string database)
    {
        var address = new NpgsqlConnectionStringBuilder(database);
        wire = Wire.To(address.Port);
        address.Port = wire.Port;
        return new(StringComparer.Ordinal) { ["DATABASE_URL"] = address.ConnectionString };
    }

    private static Dictionary<string, string?> ThroughBroker(ref Wire? wire, string broker)
    {
        var address = new UriBuilder(broker);
        wire = Wire.To(address.Port);
        address.Port = wire.Port;
        return new(StringComparer.Ordinal) { ["RABBITMQ_URL"] = address.Uri.ToString() };
    }
}
