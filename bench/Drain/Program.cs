using System.Globalization;
using LlmQueue.Bench.Drain;

// Figures are read by people and scripts alike: a point is a point.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    var arguments = Arguments.Read(args);
    if (Scenario.Find(arguments.ScenarioName, arguments.Calls, arguments.Seed) is not { } scenario)
        throw new FormatException($"There is no scenario '{arguments.ScenarioName}'; expected {string.Join(", ", Scenario.Names)}.");
    return await Bench.Run(arguments, scenario);
}
catch (FormatException wrong)
{
    await Console.Error.WriteLineAsync(wrong.Message);
    return 2;
}
