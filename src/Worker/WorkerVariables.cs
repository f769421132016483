using System.Globalization;
using LlmQueue.Hosting.Settings;

namespace LlmQueue.Worker;

/// <summary>Reads WorkerOptions from the environment; the names are the options' own, in capitals, with their unit.</summary>
public static class WorkerVariables
{
    public static WorkerOptions Read(IReadOnlyDictionary<string, string?> variables)
    {
        var problems = new List<string>();
        var defaults = new WorkerOptions();
        var options = defaults with
        {
            CallTimeout = Seconds("CALL_TIMEOUT_SECONDS", defaults.CallTimeout, 0.1, 1800),
            FirstChoiceTimeout = Seconds("FIRST_CHOICE_TIMEOUT_SECONDS", defaults.FirstChoiceTimeout, 0.1, 1800),
            KeepTrying = TimeSpan.FromHours(Number("KEEP_TRYING_HOURS", defaults.KeepTrying.TotalHours, 0.001, 8760)),
            ClassifierTimeout = Seconds("CLASSIFIER_TIMEOUT_SECONDS", defaults.ClassifierTimeout, 0.1, 60),
            ConcurrentCalls = (int)Number("CONCURRENT_CALLS", defaults.ConcurrentCalls, 1, 4096),
            MaxFaults = (int)Number("MAX_FAULTS", defaults.MaxFaults, 1, 100),
            FirstBackOff = Seconds("FIRST_BACK_OFF_SECONDS", defaults.FirstBackOff, 0.01, 600),
            WorkerGoneAfter = Seconds("WORKER_GONE_AFTER_SECONDS", defaults.WorkerGoneAfter, 1, 600),
            RescueEvery = Seconds("RESCUE_EVERY_SECONDS", defaults.RescueEvery, 0.5, 600),
            AgeAfter = Seconds("AGE_AFTER_SECONDS", defaults.AgeAfter, 0, 86400),
            AgedEvery = (int)Number("AGED_EVERY", defaults.AgedEvery, 1, 1000),
            RejectAtBudgetLimit = Word("BUDGET_AT_LIMIT", "wait", "reject") == "reject",
            Ranking = Switch("RANKING", defaults.Ranking),
            PoolAdjustment = Switch("POOL_ADJUSTMENT", defaults.PoolAdjustment),
            KeepEnded = TimeSpan.FromDays(Number("KEEP_ENDED_DAYS", defaults.KeepEnded.TotalDays, 0.01, 36500)),
        };
        return problems.Count == 0 ? options : throw new SettingsException(problems);

        TimeSpan Seconds(string name, TimeSpan missing, double least, double most) =>
            TimeSpan.FromSeconds(Number(name, missing.TotalSeconds, least, most));

        bool Switch(string name, bool missing) => Word(name, missing ? "on" : "off", missing ? "off" : "on") == "on";

        string Word(string name, string missing, string other)
        {
            if (!variables.TryGetValue(name, out var text) || string.IsNullOrWhiteSpace(text))
                return missing;
            var word = text.Trim().ToLowerInvariant();
            if (word == missing || word == other)
                return word;
            problems.Add($"{name} is '{text}'; expected {missing} or {other} (left out: {missing}).");
            return missing;
        }

        double Number(string name, double missing, double least, double most)
        {
            if (!variables.TryGetValue(name, out var text) || string.IsNullOrWhiteSpace(text))
                return missing;
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                && number >= least
                && number <= most)
                return number;
            problems.Add($"{name} is '{text}'; expected a number from {least.ToString(CultureInfo.InvariantCulture)} to "
                + $"{most.ToString(CultureInfo.InvariantCulture)} (left out: {missing.ToString(CultureInfo.InvariantCulture)}).");
            return missing;
        }
    }
}
