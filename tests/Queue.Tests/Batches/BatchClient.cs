using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Batches;

/// <summary>What a client of batches does, as plain HTTP.</summary>
internal static class BatchClient
{
    public static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    public static string Line(string customId, string prompt = "Why?", string model = "groq:small", string more = "") =>
        $$$"""{"custom_id":"{{{customId}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{model}}}","messages":[{"role":"user","content":"{{{prompt}}}"}],"max_tokens":20{{{more}}}}}""";

    public static async Task<string> Upload(this HttpClient client, string content, string name = "batch.jsonl", string purpose = "batch")
    {
        using var form = new MultipartFormDataContent { { new StringContent(purpose), "purpose" }, { File(content), "file", name } };
        return (await client.PostAsync("/v1/files", form, TestContext.Current.CancellationToken).Body(200)).Text("id");
    }

    public static ByteArrayContent File(string content) =>
        new(Encoding.UTF8.GetBytes(content)) { Headers = { ContentType = new MediaTypeHeaderValue("application/jsonl") } };

    public static async Task<JsonElement> CreateBatch(this HttpClient client, string file, string window = "24h") =>
        await client.PostText("/v1/batches",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"{{window}}"}""")
            .Body(200);

    public static async Task<JsonElement> Becomes(this HttpClient client, string batch, params string[] statuses)
    {
        JsonElement last = default;
        try
        {
            return (await Eventually.Found($"batch is {string.Join(" or ", statuses)}", Soon, async () =>
            {
                last = await client.Get($"/v1/batches/{batch}").Body(200);
                return statuses.Contains(last.Text("status")) ? new Boxed(last) : null;
            })).Value;
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message} It is {last}", late);
        }
    }

    /// <summary>The lines of a batch's file by their names; empty where there is no file.</summary>
    public static async Task<Dictionary<string, JsonElement>> Lines(this HttpClient client, JsonElement batch, string file)
    {
        if (batch.GetProperty(file).GetString() is not { } id)
            return [];
        var text = await client.GetStringAsync($"/v1/files/{id}/content", TestContext.Current.CancellationToken);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)
            .ToDictionary(l => l.Text("custom_id"), StringComparer.Ordinal);
    }

    private sealed record Boxed(JsonElement Value);
}
