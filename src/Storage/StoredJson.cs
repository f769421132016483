using System.Text.Json;

namespace LlmQueue.Storage;

/// <summary>How values are written into rows as JSON: rows of an older program must stay readable, so this never changes.</summary>
public static class StoredJson
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);
}
