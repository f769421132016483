using System.Text.Json;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Answers;

/// <summary>json_object names no shape, so the prompt's own words do: a classification, a list of results, or one answer.</summary>
internal static class JsonObjectAnswer
{
    private static readonly string[] ListNames = ["results", "items", "answers", "summaries"];

    public static string Write(ChatRequest request) => JsonText.Write(writer =>
    {
        writer.WriteStartObject();
        if (request.Mentions("complexity") && request.Mentions("confidence") && request.Mentions("task"))
        {
            WriteClassification(writer, request);
        }
        else if (Array.Find(ListNames, request.Mentions) is { } list && Entries.In(request.UserText) is { Count: > 0 } entries)
        {
            WriteList(writer, list, entries);
        }
        else
        {
            writer.WriteString("answer", PlainAnswer.Write(request, request.MaxTokens ?? 256));
        }

        writer.WriteEndObject();
    });

    private static void WriteClassification(Utf8JsonWriter writer, ChatRequest request)
    {
        var text = Keywords.Subject(request.UserText);
        writer.WriteString("task", Keywords.Task(text)?.Task ?? "other");
        writer.WriteString("complexity", Keywords.Complexity(text));
        writer.WriteBoolean(request.Mentions("requiresContext") ? "requiresContext" : "requires_context", Keywords.RequiresContext(text));
        writer.WriteString("category", Keywords.Category(text));
        writer.WriteNumber("confidence", Math.Round(Keywords.Confidence(text, request.Hash.Value), 2));
    }

    private static void WriteList(Utf8JsonWriter writer, string name, List<Entry> entries)
    {
        writer.WriteStartArray(name);
        foreach (var entry in entries)
        {
            writer.WriteStartObject();
            writer.WriteString("id", entry.Id);
            writer.WriteString("answer", PromptHash.Of(entry.Text).Marker + " " + PlainAnswer.Quote(entry.Text));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
