using System.Text.Json;

namespace LlmQueue.Worker.Passes;

/// <summary>
/// Finds the JSON object in an answer that should have been nothing else: fences, prose and reasoning around it are passed over, its
/// content is not repaired.
/// </summary>
internal static class AnswerObject
{
    // Thoughts try the form out before they answer; past so many beginnings there is no answer.
    private const int MostBeginnings = 50;

    /// <summary>Null when no object ends the answer.</summary>
    public static JsonElement? Find(string answer)
    {
        var end = answer.LastIndexOf('}') + 1;
        var tried = 0;
        for (var start = answer.IndexOf('{', StringComparison.Ordinal); start >= 0 && start < end && tried++ < MostBeginnings;
            start = answer.IndexOf('{', start + 1))
            if (TryParse(answer.AsMemory(start, end - start)) is { } found)
                return found;
        return null;
    }

    private static JsonElement? TryParse(ReadOnlyMemory<char> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowTrailingCommas = true });
            return document.RootElement.Clone();
        }
        // Halves of surrogate pairs surface as either of the last two.
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }
}
