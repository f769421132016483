using System.Globalization;
using LlmQueue.Hosting;

namespace LlmQueue.Embedded.Hosting;

/// <summary>The lines that a queue prints when it has started.</summary>
internal static class Banner
{
    public static readonly string Simulated = string.Create(CultureInfo.InvariantCulture, $"""
        ************************************************************************
        *  NO PROVIDER HAS A KEY: every answer is made up by the built-in      *
        *  SIMULATED provider. Its limits are {Installation.SimulatedScale} times the catalogue's, so     *
        *  that a demonstration takes a minute. For real answers set a key,    *
        *  for example GROQ_API_KEY in .env, and start again.                  *
        ************************************************************************
        """);

    public static IReadOnlyList<string> Of(Installation installation)
    {
        var settings = installation.Settings;
        var lines = new List<string>
        {
            $"LlmQueue listens on {settings.ListenUrl}",
            $"Database   {(settings.DatabaseUrl is null ? $"private PostgreSQL in {settings.DataFolder}" : "PostgreSQL of DATABASE_URL")}",
            $"Messages   {(settings.RabbitMq is null ? "inside this process" : $"RabbitMQ, {settings.RabbitMq}")}",
            "Providers  "
                + string.Join(", ", settings.Providers.Values.Select(p => $"{p.Name} ({string.Join(", ", p.Keys.Select(k => k.Alias))})"))
                + $"{(installation.IsSimulated ? ", all SIMULATED" : "")}",
            settings.DailyBudgetUsd is { } usd
                ? $"Budget     {usd.ToString("0.00####", CultureInfo.InvariantCulture)} US dollars a day"
                : "Budget     unlimited (BUDGET_DAILY_USD is not set)",
            "Ctrl-C stops it; whatever is open goes on at the next start.",
        };
        return lines;
    }
}

internal static class Logs
{
    public static void AddQueueFile(this ILoggingBuilder logging, FileLog file)
    {
        // Levels as on the console; only the place differs.
        logging.AddQueueConsole().ClearProviders().AddProvider(file);
    }
}
