using System.Globalization;
using LlmQueue.Bench.Routing;

// Figures are read by people and scripts alike: a point is a point.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
const string Usage = "bench/routing.sh [--tasks 2000] [--seed 1]";
var (tasks, seed) = (2000, 1);
for (var i = 0; i < args.Length; i += 2)
{
    if (i + 1 >= args.Length || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1 || args[i] is not ("--tasks" or "--seed"))
    {
        await Console.Error.WriteLineAsync($"Not understood: {string.Join(' ', args.Skip(i))}. Expected {Usage}");
        return 2;
    }

    (tasks, seed) = args[i] == "--tasks" ? (number, seed) : (tasks, number);
}

var day = Day.Of(tasks, seed);
await using var installation = await Installation.Start();
await installation.Work(day);
return Report.Print(day, await installation.Read(), installation.Catalogue) ? 0 : 1;
