using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProviderSimulator.Settings;

/// <summary>The queue's catalogue as far as a provider needs it; everything else in the file is skipped.</summary>
internal sealed record CatalogueFile(IReadOnlyList<CatalogueModel> Models);

internal sealed record CatalogueModel(string Id, long? Context, long? MaxOutput, CatalogueLimits? Limits);

internal sealed record CatalogueLimits(long? Rpm, long? Rpd, long? Tpm, long? Tpd);

/// <summary>The file behind --config and the body of POST /_sim/config: what is absent stays as it is.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record SettingsChange
{
    public IReadOnlyList<ModelCard>? Models { get; init; }
    public IReadOnlyDictionary<string, string>? Orgs { get; init; }
    public IReadOnlyList<string>? Keys { get; init; }
    public IReadOnlyList<int>? LatencyMs { get; init; }
    public double? PerOutputTokenMs { get; init; }
    public bool? Refund { get; init; }
    public int? DefaultOutputTokens { get; init; }

    /// <summary>How often the small model errs in a kind, and in a complexity, 0 to 1.</summary>
    public double? SortingErrorRate { get; init; }

    /// <summary>Texts that the small model knows, with what a person says they are.</summary>
    public IReadOnlyList<Sorting.SortingLabel>? SortingLabels { get; init; }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(CatalogueFile))]
[JsonSerializable(typeof(SettingsChange))]
internal sealed partial class SettingsJson : JsonSerializerContext;
