using System.Text.Json.Serialization;
using ProviderSimulator.Limits;

namespace ProviderSimulator.Settings;

/// <summary>A model as the provider knows it. A limit that is null does not exist; context and output are in tokens.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ModelCard
{
    public required string Name { get; init; }
    public long? Rpm { get; init; }
    public long? Rpd { get; init; }
    public long? Tpm { get; init; }
    public long? Tpd { get; init; }
    public long? Context { get; init; }
    public long? MaxOutput { get; init; }

    public long? Limit(LimitWindow window) => window switch
    {
        LimitWindow.RequestsPerMinute => Rpm,
        LimitWindow.RequestsPerDay => Rpd,
        LimitWindow.TokensPerMinute => Tpm,
        _ => Tpd,
    };

    public ModelCard ChangedBy(ModelCard change) => this with
    {
        Rpm = change.Rpm ?? Rpm,
        Rpd = change.Rpd ?? Rpd,
        Tpm = change.Tpm ?? Tpm,
        Tpd = change.Tpd ?? Tpd,
        Context = change.Context ?? Context,
        MaxOutput = change.MaxOutput ?? MaxOutput,
    };

    /// <summary>A catalogue id is provider:name; the name is what goes over the wire and may hold colons and slashes of its own.</summary>
    public static ModelCard From(CatalogueModel model, double scale) => new()
    {
        Name = model.Id[(model.Id.IndexOf(':', StringComparison.Ordinal) + 1)..],
        Rpm = Scaled(model.Limits?.Rpm, scale),
        Rpd = Scaled(model.Limits?.Rpd, scale),
        Tpm = Scaled(model.Limits?.Tpm, scale),
        Tpd = Scaled(model.Limits?.Tpd, scale),
        Context = model.Context,
        MaxOutput = model.MaxOutput,
    };

    private static long? Scaled(long? limit, double scale) => limit is { } value ? (long)Math.Round(value * scale) : null;
}
