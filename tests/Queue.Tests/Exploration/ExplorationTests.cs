using System.Diagnostics;
using System.Globalization;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using MassTransit;

namespace LlmQueue.Tests.Exploration;

/// <summary>
/// A hundred thousand histories of the real machine, with admission and the Pacer, on a store in memory: none breaks a law. A seed is
/// printed for one that does, with the story of the shortest history that was found to break the same law; EXPLORE_SEED tells it again,
/// EXPLORE_HISTORIES sets their number.
/// </summary>
public sealed class ExplorationTests
{
    private const int Histories = 100_000;

    private static readonly Lazy<Task<ConsumeContext>> consumed = new(Context);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_interleaving_breaks_a_law()
    {
        var context = await consumed.Value;
        var first = Number("EXPLORE_SEED");
        var histories = first is null ? Number("EXPLORE_HISTORIES") ?? Histories : 1;
        var began = Stopwatch.GetTimestamp();
        var halves = await Task.WhenAll(Enumerable.Range(0, 2)
            .Select(half => Task.Run(() => Explore(context, PlantedBug.None, (first ?? 0) + half, 2, histories / 2 + 1), Cancel)));
        var took = Stopwatch.GetElapsedTime(began);
        var met = halves.SelectMany(half => half.Met).GroupBy(met => met.Key, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.Sum(one => one.Value), StringComparer.Ordinal);
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{halves.Sum(half => half.Lived)} histories of {halves.Sum(half => half.Steps)} steps in {took.TotalSeconds:0.0} s; met: {string.Join(", ", met.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Value} {m.Key}"))}"));
        Assert.True(halves.All(half => half.Found is null), string.Join('\n', halves.Select(half => half.Found)));
        // Or they would show nothing of them.
        foreach (var thing in TaskStates.Ends.Concat(
            ["kept call", "kept call claimed later", "tried again: Conflict", "tried again: NoRoom"])
            .Where(_ => first is null))
        {
            Assert.True(met.GetValueOrDefault(thing) > 100, $"Hardly a history meets \"{thing}\".");
        }
    }

    /// <summary>The instrument itself: a mistake that somebody could make is found within the first histories.</summary>
    [Theory]
    [InlineData(PlantedBug.NoAttemptFence)]
    [InlineData(PlantedBug.NoVersionFence)]
    [InlineData(PlantedBug.ForgetsToRelease)]
    [InlineData(PlantedBug.ForgetsToSettle)]
    [InlineData(PlantedBug.ClaimsTwice)]
    [InlineData(PlantedBug.BelievesADoubtedClaim)]
    [InlineData(PlantedBug.KeepsWhatWasGranted)]
    [InlineData(PlantedBug.NeverLeavesTheLine)]
    [InlineData(PlantedBug.NoGuard)]
    public async Task A_planted_bug_is_found(PlantedBug bug)
    {
        var context = await consumed.Value;
        var result = await Task.Run(() => Explore(context, bug, 0, 1, Histories / 5), Cancel);
        Assert.True(result.Found is not null, $"{bug} was not found in {Histories / 5} histories.");
        TestContext.Current.TestOutputHelper?.WriteLine($"{bug} after {result.Lived} histories: {result.Found}");
    }

    private static (string? Found, int Lived, long Steps, Dictionary<string, int> Met)
        Explore(ConsumeContext context, PlantedBug bug, long first, int stride, long histories)
    {
        var explorer = new Explorer(context);
        var steps = 0L;
        for (var i = 0; i < histories; i++)
        {
            Cancel.ThrowIfCancellationRequested();
            var seed = (ulong)(first + (i * stride));
            var script = new Script(null, seed);
            var law = explorer.Live(script, bug);
            steps += explorer.Steps;
            if (law is not null)
            {
                return (Shortest(context, script.Numbers, law, bug, seed), i + 1, steps, explorer.Met);
            }
        }

        return (null, (int)histories, steps, explorer.Met);
    }

    /// <summary>Leaves out what the law is broken without, and tells the rest.</summary>
    private static string Shortest(ConsumeContext context, IReadOnlyList<int> numbers, string law, PlantedBug bug, ulong seed)
    {
        var explorer = new Explorer(context);
        var shortest = numbers.ToList();
        if (explorer.Live(new Script(shortest, 0), bug) is null)
        {
            return $"seed {seed}: {law} (and not when it is told again: something is kept from one history to the next)";
        }

        for (var cut = shortest.Count / 2; cut > 0; cut /= 2)
        {
            for (var at = 0; at + cut <= shortest.Count;)
            {
                var shorter = shortest.Take(at).Concat(shortest.Skip(at + cut)).ToList();
                if (explorer.Live(new Script(shorter, 0), bug) is not null)
                {
                    shortest = shorter;
                }
                else
                {
                    at += cut;
                }
            }
        }

        explorer.TellsStory = true;
        var last = explorer.Live(new Script(shortest, 0), bug);
        return $"seed {seed}: {law}. The shortest that was found: {last}\n{string.Join('\n', explorer.Story)}";
    }

    private static long? Number(string name) =>
        long.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>The context of a message that a real bus has delivered: what every message of the histories is wrapped in.</summary>
    private static async Task<ConsumeContext> Context()
    {
        var arrived = new TaskCompletionSource<ConsumeContext>();
        var bus = Bus.Factory.CreateUsingInMemory(
            made => made.ReceiveEndpoint("explored", endpoint => endpoint.Handler<StartTask>(context =>
        {
            arrived.TrySetResult(context);
            return Task.CompletedTask;
        })));
        await bus.StartAsync(CancellationToken.None);
        try
        {
            await bus.Publish(new StartTask(Guid.NewGuid()), CancellationToken.None);
            return await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None);
        }
        finally
        {
            await bus.StopAsync(CancellationToken.None);
        }
    }
}
