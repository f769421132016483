using System.Text.Json;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// The caller's labels (metadata) as a row keeps them. Reading never fails: a task whose labels cannot be read must still end, be canceled
/// and be shown.
/// </summary>
public static class Labels
{
    private const string Unreadable = "llmqueue.unreadable";

    public static IReadOnlyDictionary<string, string>? Read(string? metadata)
    {
        if (metadata is null)
            return null;
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(metadata, StoredJson.Options);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [Unreadable] = "The metadata of this row cannot be read as JSON.",
            };
        }
    }
}
