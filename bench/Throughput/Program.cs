using System.Globalization;
using LlmQueue.Bench.Throughput;

// Figures are read by people and scripts alike: a point is a point.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    await Bench.Run(Arguments.Read(args));
    return 0;
}
catch (FormatException wrong)
{
    await Console.Error.WriteLineAsync(wrong.Message);
    return 2;
}
