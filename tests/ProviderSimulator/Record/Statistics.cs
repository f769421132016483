using System.Globalization;
using System.Text.Json;
using ProviderSimulator.Limits;
using ProviderSimulator.Settings;

namespace ProviderSimulator.Record;

/// <summary>Totals, added up from the log when somebody asks, so that the calls themselves carry no counters.</summary>
internal static class Statistics
{
    public static void Write(Utf8JsonWriter writer, CallLog log, CallRecord[] calls, Accounts accounts, ProviderSettings settings)
    {
        writer.WriteStartObject();
        writer.WriteNumber("calls", calls.Length);
        writer.WriteNumber("inFlight", log.InFlight);
        writer.WriteNumber("peakInFlight", log.PeakInFlight);
        WriteTotals(writer, calls);
        writer.WriteStartArray("accounts");
        foreach (var group in calls.GroupBy(call => (call.Org, call.Model)))
        {
            writer.WriteStartObject();
            writer.WriteString("org", group.Key.Org);
            writer.WriteString("model", group.Key.Model);
            writer.WriteNumber("calls", group.Count());
            WriteTotals(writer, [.. group]);
            WriteWindows(writer, accounts, settings, group.Key);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteTotals(Utf8JsonWriter writer, IReadOnlyCollection<CallRecord> calls)
    {
        writer.WriteNumber("delivered", calls.Count(call => call.Delivered));
        writer.WriteNumber("promptTokens", calls.Sum(call => (long)call.PromptTokens));
        writer.WriteNumber("completionTokens", calls.Sum(call => (long)call.CompletionTokens));
        writer.WriteNumber("chargedTokens", calls.Sum(call => call.Charged));
        WriteCounts(writer, "byStatus", calls.Select(call => call.Status.ToString(CultureInfo.InvariantCulture)));
        WriteCounts(writer, "byOutcome", calls.Select(call => call.Outcome));
        // A throttle that was scripted is no fault of the caller's.
        var over = calls.Where(call => call.Window is not null && !call.Outcome.StartsWith("fault:", StringComparison.Ordinal)).ToList();
        writer.WriteNumber("aboveALimit", over.Count);
        WriteCounts(writer, "aboveALimitByWindow", over.Select(call => call.Window!.Value.ShortName));
    }

    private static void WriteCounts(Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartObject(name);
        foreach (var (value, count) in values.CountBy(value => value).OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            writer.WriteNumber(value, count);
        }

        writer.WriteEndObject();
    }

    private static void WriteWindows(Utf8JsonWriter writer, Accounts accounts, ProviderSettings settings, (string Org, string Model) key)
    {
        writer.WriteStartObject("windows");
        if (settings.Knows(key.Model, out var card) && card is not null)
        {
            var account = accounts.Of(key.Org, key.Model);
            foreach (var window in LimitWindows.All)
            {
                if (account.Stand(card, window, accounts.NowSeconds) is { } standing)
                {
                    writer.WriteStartObject(window.ShortName);
                    writer.WriteNumber("limit", standing.Limit);
                    writer.WriteNumber("remaining", standing.Remaining);
                    writer.WriteNumber("highestShare", Math.Round(account.HighestShare(window), 4));
                    writer.WriteEndObject();
                }
            }
        }

        writer.WriteEndObject();
    }
}
