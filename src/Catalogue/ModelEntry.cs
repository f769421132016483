using System.Diagnostics.CodeAnalysis;

namespace LlmQueue.Catalogue;

/// <summary>What an organisation may use of one model; null is not limited.</summary>
public sealed record ModelLimits(int? RequestsPerMinute, int? RequestsPerDay, long? TokensPerMinute, long? TokensPerDay)
{
    public static ModelLimits None { get; } = new(null, null, null, null);
}

/// <summary>US dollars for a million tokens; null is unknown, which is not the same as free.</summary>
public sealed record ModelPrice(decimal? InputUsdPerMillion, decimal? OutputUsdPerMillion)
{
    public static ModelPrice Unknown { get; } = new(null, null);

    /// <summary>The cost in US dollars, or null when a price it needs is unknown.</summary>
    public decimal? CostUsd(long inputTokens, long outputTokens) =>
        (inputTokens * InputUsdPerMillion + outputTokens * OutputUsdPerMillion) / 1_000_000m;
}

/// <summary>One model of the catalogue.</summary>
public sealed record ModelEntry
{
    public required ModelId Id { get; init; }

    /// <summary>Tokens of prompt and answer together.</summary>
    public required int Context { get; init; }

    /// <summary>Tokens of the longest answer.</summary>
    public required int MaxOutput { get; init; }

    public ModelLimits Limits { get; init; } = ModelLimits.None;
    public ModelPrice Price { get; init; } = ModelPrice.Unknown;

    /// <summary>The first day on which the provider no longer serves it.</summary>
    public DateOnly? Retires { get; init; }

    public ModelId? ReplacedBy { get; init; }

    /// <summary>What it is good at, in the words of the routes' tasks.</summary>
    public IReadOnlyList<string> Strengths { get; init; } = [];

    /// <summary>It reads images.</summary>
    public bool Vision { get; init; }

    /// <summary>
    /// The provider takes the longest answer that was asked for out of its minute when the call arrives, as Groq and OpenAI do; false where
    /// it counts the answer as it is, as Anthropic does.
    /// </summary>
    public bool ChargesMaxOutput { get; init; } = true;
    /// <summary>It holds its answer to a JSON schema, strictly; false: it is asked for JSON and told the shape in words.</summary>
    public bool JsonSchema { get; init; }

    /// <summary>How long the first choice of a chain may take before the next one is asked; null is the worker's default.</summary>
    public TimeSpan? FirstChoiceTimeout { get; init; }

    /// <summary>True when nothing about it differs: a record compares its lists by identity, and a file read twice has two.</summary>
    public bool ReadsAs(ModelEntry other) =>
        Strengths.SequenceEqual(other.Strengths) && this with { Strengths = [] } == other with { Strengths = [] };

    public bool IsRetired(DateOnly today) => Retires <= today;

    /// <summary>How much of a window is used: estimates err, and a prompt that is too long by a word is refused as a whole.</summary>
    public const double UsedShare = 0.9;

    /// <summary>Whether prompt and answer fit nine tenths of its window, and the answer its own limit.</summary>
    public bool Takes(int promptTokens, int maxOutputTokens) =>
        maxOutputTokens <= MaxOutput && (long)promptTokens + maxOutputTokens <= Context * UsedShare;
}
