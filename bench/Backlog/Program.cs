using System.Globalization;
using LlmQueue.Bench.Backlog;
using LlmQueue.Tests.Harness;

// Figures are read by people and scripts alike: a point is a point.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var waiting = Argument("--waiting", "1000,100000,1000000").Split(',').Select(int.Parse).ToList();
var drain = int.Parse(Argument("--drain", "2000"));

await using var postgres = await PostgresServer.StartNew();
await using var rabbit = await RabbitServer.StartNew();
await using var simulator = await SimulatorProcess.Start("--unlimited");
if (args.Contains("--hour", StringComparer.Ordinal))
{
    await Hour.Run(postgres, rabbit, simulator, int.Parse(Argument("--tasks", "36000")), int.Parse(Argument("--rate", "200")));
    return 0;
}

Console.WriteLine($"{Measurement.Windows} windows of {drain} tasks drained with so many waiting behind them; one worker, {Environment.ProcessorCount} processors");
Console.WriteLine(Figures.Heading);
Figures? first = null;
foreach (var count in waiting)
{
    var row = await Measurement.Take(postgres, rabbit, simulator, count, drain);
    first ??= row;
    Console.WriteLine($"{row}  {row.ProcessorMs / first.ProcessorMs,5:0.00}");
}

return 0;

string Argument(string name, string unsaid) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : unsaid;
