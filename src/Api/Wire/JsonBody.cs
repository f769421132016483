using System.Text;
using System.Text.Json;

namespace LlmQueue.Api.Wire;

/// <summary>Reads a request's body, and says where it is not JSON.</summary>
public static class JsonBody
{
    /// <summary>In bytes. Twenty thousand pages of five kilobytes fit.</summary>
    public const long LargestBody = 100L << 20;

    /// <exception cref="ProblemException">400: the body is not JSON; the line and the place are named.</exception>
    public static async Task<JsonDocument> Read(HttpRequest request, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream((int)Math.Clamp(request.ContentLength ?? 0, 0, LargestBody));
        await request.Body.CopyToAsync(buffer, cancellationToken);
        var bytes = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        if (bytes.Span.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (bytes.Span.Trim(" \t\r\n"u8).IsEmpty)
            throw new ProblemException(Problem.NotJson("The body is empty; expected JSON, for example {\"prompt\": \"Why is the sky blue?\"}."));
        return Parse(bytes);
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            return JsonDocument.Parse(utf8);
        }
        catch (JsonException fault)
        {
            // The framework counts from 0 and appends its own position; people count from 1.
            var (line, position) = ((fault.LineNumber ?? 0) + 1, (fault.BytePositionInLine ?? 0) + 1);
            var sentence = fault.Message.Split(" LineNumber:")[0].TrimEnd('.');
            throw new ProblemException(Problem.NotJson($"The body is not JSON at line {line}, position {position}: {sentence}.") with
            {
                More = new Dictionary<string, object?> { ["line"] = line, ["position"] = position },
            });
        }
    }
}
