using System.Globalization;
using LlmQueue.Bench.Outage;
using LlmQueue.Tests.Harness;

// Figures are read by people and scripts alike: a point is a point.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var ways = args.Length > 0 ? args : ["refuses", "hangs", "resets"];
if (ways.FirstOrDefault(way => Outage.Fault(way) is null) is { } unknown)
{
    await Console.Error.WriteLineAsync($"There is no way '{unknown}' to go down; expected refuses, hangs or resets.");
    return 2;
}

await using var postgres = await PostgresServer.StartNew();
await using var rabbit = await RabbitServer.StartNew();
Console.WriteLine($"{Outage.Tasks} tasks at {Outage.PerSecond} a second through 2 workers; the primary goes down after {Outage.DownAfter.TotalSeconds} s and is back after {Outage.BackAfter.TotalSeconds} s; first-choice time-out {Outage.FirstChoiceSeconds} s");
Console.WriteLine(Figures.Heading);
var allHold = true;
foreach (var way in ways)
{
    var figures = await Outage.Run(postgres, rabbit, way);
    Console.WriteLine(figures);
    allHold &= figures.Hold;
}

return allHold ? 0 : 1;
