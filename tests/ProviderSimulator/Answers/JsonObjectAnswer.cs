using System.Text.Json;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Answers;

/// <summary>
/// json_object names no shape, so the prompt's own words do: a classification, what images show, a critique, a list of
/// results, or one answer.
/// </summary>
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
        else if (request.Mentions("\"objects\"")
            && request.Mentions("\"scenes\"")
            && request.Messages.Sum(m => m.Images) is > 0 and var images)
        {
            WriteExtraction(writer, images);
        }
        else if (request.Mentions("\"verdict\"") && request.Mentions("\"issues\"") && request.Mentions("\"score\""))
        {
            WriteCritique(writer, request);
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

    // It sees that there are images, and nothing in them.
    private static void WriteExtraction(Utf8JsonWriter writer, int images)
    {
        writer.WriteStartArray("objects");
        for (var image = 1; image <= images; image++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("image", image);
            writer.WriteString("what", "a simulated object");
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        foreach (var list in (ReadOnlySpan<string>)["scenes", "emotions", "text"])
        {
            writer.WriteStartArray(list);
            writer.WriteEndArray();
        }

        writer.WriteNull("pacing");
        writer.WriteNull("transcript");
    }

    // As strict as its text is odd: about half are sent back with something to mend.
    private static void WriteCritique(Utf8JsonWriter writer, ChatRequest request)
    {
        var score = 0.5 + (request.Hash.Value % 50 / 100.0);
        writer.WriteString("verdict", score >= 0.75 ? "accept" : "revise");
        writer.WriteStartArray("issues");
        if (score < 0.75)
        {
            writer.WriteStringValue($"The answer to #{request.Hash} does not say under which conditions it holds.");
        }

        writer.WriteEndArray();
        writer.WriteNumber("score", score);
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
