using System.Diagnostics;
using LlmQueue.Contracts;
using LlmQueue.Embedded;
using LlmQueue.Tests.Harness;
using RabbitMQ.Client;

namespace LlmQueue.Bench.Drain;

/// <summary>Drains the scenario through the queue once.</summary>
internal static class QueueRun
{
    private const int WarmUpCalls = 40;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    public static async Task<Figures> Drain(Servers servers, Scenario scenario, Arguments arguments, int run)
    {
        await using var installation = await Installation.Start(servers, scenario, arguments.Workers);
        await using var connection = await new ConnectionFactory { Uri = new Uri(installation.Rabbit) }.CreateConnectionAsync();
        await using var events = await Events.Listen(connection);
        await AllConsume(connection, arguments.Workers);
        var random = new Random(arguments.Seed + run);
        if (!arguments.Cold)
            await WarmUp(connection, events, arguments.Workers * WarmUpCalls, random);

        var prompts = scenario.Calls.Select((call, i) => (Prompts.Of(call.Prompt, i, random), call.Output)).ToList();
        await servers.Simulator.Reset();
        var ended = events.Expect(prompts.Count);
        var began = Stopwatch.GetTimestamp();
        await Producer.Publish(connection, prompts);
        try
        {
            var taken = Stopwatch.GetElapsedTime(began, await ended.WaitAsync(Patience, TimeProvider.System));
            var log = await servers.Simulator.Log();
            if (arguments.Verbose)
                Refusals.Print(log);
            Check(scenario, log, events);
            return Figures.Of(scenario, taken, log, events.Counts, await events.Promises.Errors(installation.Database, arguments.Verbose));
        }
        catch (TimeoutException)
        {
            await Console.Error.WriteLineAsync($"Not drained within {Patience.TotalMinutes:0} minutes: {string.Join(", ", events.Counts.Select(count => $"{count.Value} {count.Key}"))}.\n{installation.Tail()}");
            throw;
        }
        finally
        {
            if (arguments.Verbose)
                await Console.Error.WriteLineAsync(installation.Tail());
        }
    }

    /// <summary>A message to a queue that nobody has declared would go nowhere, and workers that come late would not be measured.</summary>
    private static Task AllConsume(IConnection connection, int workers) => Eventually.True("every worker consumes", TimeSpan.FromSeconds(60), async () =>
    {
        await using var channel = await connection.CreateChannelAsync();
        foreach (var queue in new[] { QueueNames.Intake, QueueNames.Lifecycle, QueueNames.CallsOf("groq") })
            if ((await channel.QueueDeclarePassiveAsync(queue)).ConsumerCount < workers)
                return false;
        return true;
    });

    private static async Task WarmUp(IConnection connection, Events events, int calls, Random random)
    {
        var ended = events.Expect(calls);
        await Producer.Publish(connection, Enumerable.Range(0, calls).Select(i => (Prompts.Of(100, i, random), 20)), $"groq:{Installation.WarmUpModel}");
        await ended.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
    }

    private static void Check(Scenario scenario, IReadOnlyList<SimulatedCall> log, Events events)
    {
        var completed = events.Counts.GetValueOrDefault("LlmTaskCompleted");
        if (completed != scenario.Calls.Count)
            Console.Error.WriteLine($"{completed} of {scenario.Calls.Count} tasks completed: {string.Join(", ", events.Counts.Select(count => $"{count.Value} {count.Key}"))}.");
        var wanted = scenario.Calls.Select(call => (long)call.Prompt).ToHashSet();
        var other = log.Count(call => !wanted.Contains(call.PromptTokens));
        if (other > 0)
            Console.Error.WriteLine($"{other} calls had another number of prompt tokens than the scenario's, for example {log.First(call => !wanted.Contains(call.PromptTokens)).PromptTokens}: the simulator counts differently now, see Prompts.cs.");
    }
}
