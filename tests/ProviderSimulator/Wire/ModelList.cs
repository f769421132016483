using System.Text.Json;
using ProviderSimulator.Settings;

namespace ProviderSimulator.Wire;

/// <summary>GET …/v1/models. Empty when any name is served: there is no list of everything.</summary>
internal static class ModelList
{
    public static void Write(Utf8JsonWriter writer, ProviderSettings settings)
    {
        writer.WriteStartObject();
        writer.WriteString("object", "list");
        writer.WriteStartArray("data");
        foreach (var model in (settings.Models?.Values ?? []).OrderBy(card => card.Name, StringComparer.Ordinal))
        {
            writer.WriteStartObject();
            writer.WriteString("id", model.Name);
            writer.WriteString("object", "model");
            writer.WriteNumber("created", 1_700_000_000);
            writer.WriteString("owned_by", "simulator");
            writer.WriteBoolean("active", true);
            WriteTokens(writer, "context_window", model.Context);
            WriteTokens(writer, "max_completion_tokens", model.MaxOutput);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteTokens(Utf8JsonWriter writer, string name, long? tokens)
    {
        if (tokens is { } known)
        {
            writer.WriteNumber(name, known);
        }
    }
}
