using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Chaos;

public sealed class WorkerFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    /// <summary>
    /// Of two workers one is killed with its calls open. Every task ends exactly once with the answer to its own prompt, the books balance,
    /// and nothing is called twice but what the killed one had open.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_one_of_two_workers_is_killed()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run((150, () => installation.Workers[0].Kill()));
        await Invariant.Check(installation, moments.Faults[0]);
    }

    /// <summary>
    /// Of two workers one is asked to stop, and its calls take longer than a lease and as many sweeps of the Rescuer. It finishes the calls
    /// it has open: every task ends exactly once, and the provider is called exactly as often as there are tasks.
    /// </summary>
    [Fact]
    public async Task Wastes_no_call_when_one_of_two_workers_is_asked_to_stop()
    {
        await using var installation = await Installation.Start(servers);
        await installation.Run(
            (100, () => installation.Simulator.Configure(new { latencyMs = new[] { 4000, 5000 } })),
            (130, async () =>
            {
                installation.Workers[0].Terminate();
                Assert.Equal(0, await installation.Workers[0].ExitCode(TimeSpan.FromSeconds(30)));
                await installation.Simulator.Configure(new { latencyMs = new[] { 200, 600 } });
            })
        );
        await Invariant.Check(installation);
    }

    /// <summary>
    /// One of two workers is killed and replaced, and its replacement too, again and again. What was open at each kill is called once more,
    /// by whoever is there.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_workers_are_killed_again_and_again()
    {
        var kills = Installation.RunsLong ? 8 : 3;
        // What the limits let through while a worker is started again, and something is left for the last kill.
        await using var installation = await Installation.Start(servers, new Shape { Tasks = 400 + (130 * kills) });
        var moments = await installation.Run([.. Enumerable.Range(1, kills).Select(kill => (kill * 320 / kills, (Func<Task>)(async () =>
        {
            await installation.Workers[^2].Kill();
            await installation.StartWorker();
        })))]);
        await Invariant.Check(installation, moments.Faults);
        moments.AssertEachFoundTasksOpen();
    }

    /// <summary>
    /// A worker is asked to stop, and killed while it still finishes its calls: as an orchestrator does whose patience is shorter.
    /// </summary>
    [Fact]
    public async Task Loses_and_doubles_nothing_when_a_worker_is_killed_while_it_stops()
    {
        await using var installation = await Installation.Start(servers);
        var moments = await installation.Run(
            (100, () => installation.Simulator.Configure(new { latencyMs = new[] { 4000, 5000 } })),
            (130, async () =>
            {
                installation.Workers[0].Terminate();
                await Eventually.True("it has stopped taking calls", TimeSpan.FromSeconds(20), async () =>
                    await Rabbit.Consumers(installation.BrokerUrl, "llm-provider-calls", TestContext.Current.CancellationToken) == 1);
                Assert.False(installation.Workers[0].HasExited, "The worker had nothing left to finish.");
                await installation.Workers[0].Kill();
                await installation.Simulator.Configure(new { latencyMs = new[] { 200, 600 } });
            })
        );
        await Invariant.Check(installation, moments.Faults[1]);
    }
}
