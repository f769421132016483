using System.Globalization;
using System.Text.Json;
using ProviderSimulator.Answers;

namespace ProviderSimulator.Wire;

/// <summary>A completion in OpenAI's shape: whole, or as the chunks of a stream.</summary>
internal sealed class ChatReply(ChatRequest request, Answer answer, long createdUnixSeconds)
{
    private const int MostChunks = 64;
    private const int ShortestChunkChars = 24;

    private readonly string _id = "chatcmpl-" + Guid.NewGuid().ToString("D");

    public ReadOnlyMemory<byte> Whole() => JsonText.Bytes(writer =>
    {
        WriteHead(writer, "chat.completion");
        writer.WriteStartObject("message");
        writer.WriteString("role", "assistant");
        writer.WriteString("content", answer.Text);
        writer.WriteEndObject();
        writer.WriteNull("logprobs");
        writer.WriteString("finish_reason", answer.FinishReason);
        WriteTail(writer, withUsage: true);
    });

    /// <summary>
    /// Role, content by the piece, the reason to stop, and the usage if it was asked for; "data:" and [DONE] are the stream's.
    /// </summary>
    public IEnumerable<ReadOnlyMemory<byte>> Chunks()
    {
        yield return Chunk(role: "assistant", content: "", finishReason: null);
        var size = Math.Max(ShortestChunkChars, (answer.Text.Length + MostChunks - 1) / MostChunks);
        for (var at = 0; at < answer.Text.Length;)
        {
            var end = Math.Min(answer.Text.Length, at + size);
            // A surrogate pair cut in two would reach the client as two replacement characters.
            end += end < answer.Text.Length && char.IsLowSurrogate(answer.Text[end]) ? 1 : 0;
            yield return Chunk(role: null, answer.Text[at..end], finishReason: null);
            at = end;
        }

        yield return Chunk(role: null, content: null, answer.FinishReason);
        if (request.IncludeUsage)
        {
            yield return JsonText.Bytes(writer =>
            {
                WriteHeadFields(writer, "chat.completion.chunk");
                writer.WriteStartArray("choices");
                writer.WriteEndArray();
                WriteUsage(writer);
                writer.WriteEndObject();
            });
        }
    }

    private ReadOnlyMemory<byte> Chunk(string? role, string? content, string? finishReason) => JsonText.Bytes(writer =>
    {
        WriteHead(writer, "chat.completion.chunk");
        writer.WriteStartObject("delta");
        if (role is not null)
        {
            writer.WriteString("role", role);
        }

        if (content is not null)
        {
            writer.WriteString("content", content);
        }

        writer.WriteEndObject();
        writer.WriteNull("logprobs");
        writer.WriteString("finish_reason", finishReason);
        WriteTail(writer, withUsage: false);
    });

    private void WriteHead(Utf8JsonWriter writer, string kind)
    {
        WriteHeadFields(writer, kind);
        writer.WriteStartArray("choices");
        writer.WriteStartObject();
        writer.WriteNumber("index", 0);
    }

    private void WriteHeadFields(Utf8JsonWriter writer, string kind)
    {
        writer.WriteStartObject();
        writer.WriteString("id", _id);
        writer.WriteString("object", kind);
        writer.WriteNumber("created", createdUnixSeconds);
        writer.WriteString("model", request.Model);
        writer.WriteString("system_fingerprint", Fingerprint(request.Model));
    }

    // The same for a model in every run, as the fingerprint of a pinned version is (FNV-1a; string hashes differ by process).
    private static string Fingerprint(string model)
    {
        var hash = 2166136261u;
        foreach (var sign in model)
        {
            hash = (hash ^ sign) * 16777619u;
        }

        return "fp_" + hash.ToString("x8", CultureInfo.InvariantCulture);
    }

    private void WriteTail(Utf8JsonWriter writer, bool withUsage)
    {
        writer.WriteEndObject();
        writer.WriteEndArray();
        if (withUsage)
        {
            WriteUsage(writer);
        }

        writer.WriteEndObject();
    }

    private void WriteUsage(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("usage");
        writer.WriteNumber("prompt_tokens", request.PromptTokens);
        writer.WriteNumber("completion_tokens", answer.Tokens);
        writer.WriteNumber("total_tokens", request.PromptTokens + answer.Tokens);
        writer.WriteEndObject();
    }
}
