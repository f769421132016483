using System.Collections.Frozen;
using System.Text.Json;
using ProviderSimulator.Sorting;

namespace ProviderSimulator.Settings;

/// <summary>Everything the provider is told about itself, as one value: a call reads it once and a change replaces it whole.</summary>
internal sealed record ProviderSettings
{
    /// <summary>Null: every model name is served, without limits.</summary>
    public FrozenDictionary<string, ModelCard>? Models { get; private init; }

    public FrozenDictionary<string, string> Orgs { get; private init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Null, or a list with "*": every key is good.</summary>
    public FrozenSet<string>? Keys { get; private init; }

    public LatencyRange Latency { get; private init; }
    public double PerOutputTokenMs { get; private init; }
    public bool Refund { get; private init; }
    public int DefaultOutputTokens { get; private init; } = 256;
    public bool Unlimited { get; private init; }
    public bool HeaderTokens { get; private init; } = true;

    /// <summary>The small model that sorts requests, and errs.</summary>
    public Sorter Sorter { get; private init; } = new(1, 0.08);

    public static ProviderSettings Load(CommandLine line)
    {
        var settings = new ProviderSettings
        {
            Unlimited = line.Unlimited, HeaderTokens = line.HeaderTokens, Sorter = new Sorter(line.Seed, 0.08),
        };
        if (line.CataloguePath is { } cataloguePath)
        {
            var catalogue = JsonSerializer.Deserialize(File.ReadAllBytes(cataloguePath), SettingsJson.Default.CatalogueFile)!;
            settings = settings.With(catalogue.Models.Select(model => ModelCard.From(model, line.Scale)));
        }

        if (line.ConfigPath is { } configPath)
        {
            settings = settings.With(JsonSerializer.Deserialize(File.ReadAllBytes(configPath), SettingsJson.Default.SettingsChange)!);
        }

        // The command line speaks last: it is what somebody has just typed.
        return settings with { Latency = line.Latency ?? settings.Latency, Refund = line.Refund || settings.Refund };
    }

    public ProviderSettings With(SettingsChange change)
    {
        var next = change.Models is { } models ? With(models) : this;
        return next with
        {
            Orgs = change.Orgs?.ToFrozenDictionary(StringComparer.Ordinal) ?? Orgs,
            Keys = change.Keys is { } keys ? KeySet(keys) : Keys,
            Latency = change.LatencyMs is { } ends ? LatencyRange.Of(ends) : Latency,
            PerOutputTokenMs = change.PerOutputTokenMs ?? PerOutputTokenMs,
            Refund = change.Refund ?? Refund,
            DefaultOutputTokens = change.DefaultOutputTokens ?? DefaultOutputTokens,
            Sorter = Sorter with
            {
                ErrorRate = change.SortingErrorRate ?? Sorter.ErrorRate, Labels = change.SortingLabels ?? Sorter.Labels,
            },
        };
    }

    /// <summary>False when the name is unknown. Without limits the card is null: there is nothing to hold the call to.</summary>
    public bool Knows(string model, out ModelCard? card)
    {
        card = null;
        return Unlimited || Models is null || Models.TryGetValue(model, out card);
    }

    public bool Accepts(string key) => Keys?.Contains(key) ?? true;

    public string OrgOf(string key) => Orgs.TryGetValue(key, out var org) ? org : key;

    // One model can stand in the catalogue under two providers; on one simulated wire the later entry holds.
    private ProviderSettings With(IEnumerable<ModelCard> cards)
    {
        var models = new Dictionary<string, ModelCard>(StringComparer.Ordinal);
        foreach (var card in (Models?.Values ?? Enumerable.Empty<ModelCard>()).Concat(cards))
        {
            models[card.Name] = models.TryGetValue(card.Name, out var known) ? known.ChangedBy(card) : card;
        }

        return this with { Models = models.ToFrozenDictionary(StringComparer.Ordinal) };
    }

    private static FrozenSet<string>? KeySet(IReadOnlyList<string> keys) =>
        keys.Contains("*", StringComparer.Ordinal) ? null : keys.ToFrozenSet(StringComparer.Ordinal);
}
