using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmQueue.OpenAi;
using Microsoft.AspNetCore.Http.Features;

namespace LlmQueue.Api.Wire;

/// <summary>Reads a request's body, and says where it is not JSON.</summary>
public static class JsonBody
{
    /// <summary>In bytes. Twenty thousand pages of five kilobytes fit.</summary>
    public const long LargestBody = 100L << 20;

    private const int LongestSight = 2_000;
    private const long MostDiscarded = 5 * LargestBody;

    /// <exception cref="ProblemException">400: the body is not JSON; the line and the place are named.</exception>
    public static async Task<JsonDocument> Read(HttpRequest request, CancellationToken cancellationToken)
    {
        var bytes = await Bytes(request, cancellationToken);
        if (request.Headers.ContainsKey("Idempotency-Key"))
            request.HttpContext.Features.Set(new BodyFingerprint(SHA256.HashData(bytes.Span)));
        if (bytes.Span.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (bytes.Span.Trim(" \t\r\n"u8).IsEmpty)
            throw new ProblemException(
                Problem.NotJson("The body is empty; expected JSON, for example {\"prompt\": \"Why is the sky blue?\"}."));
        if (JsonText.WhereBroken(bytes.Span) is { } at)
            throw new ProblemException(Problem.NotJson($"{NameBefore(bytes.Span[..at])} is not valid Unicode: "
                + $"a text at line {bytes.Span[..at].Count((byte)'\n') + 1} has half of a surrogate pair, or bytes that are not UTF-8."));
        return Parse(bytes);
    }

    /// <summary>The field whose value begins within sight, quoted; else the body.</summary>
    private static string NameBefore(ReadOnlySpan<byte> json)
    {
        var end = json[Math.Max(0, json.Length - LongestSight)..].LastIndexOf("\":"u8);
        if (end < 0)
            return "The body";
        var name = json[Math.Max(0, json.Length - LongestSight)..][..end];
        return name.LastIndexOf((byte)'"') is var start and >= 0 ? $"'{Encoding.UTF8.GetString(name[(start + 1)..])}'" : "The body";
    }

    private static async Task<ReadOnlyMemory<byte>> Bytes(HttpRequest request, CancellationToken cancellationToken)
    {
        // The server's own limit cuts the connection while the body is still coming, and most clients then never see the answer.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        // Grows with what arrives: a length that is only announced takes no memory.
        var buffer = new MemoryStream();
        var budget = request.HttpContext.RequestServices.GetRequiredService<BodyBudget>();
        var chunk = ArrayPool<byte>.Shared.Rent(64 << 10);
        try
        {
            var tooLarge = request.ContentLength > LargestBody;
            // Who waits for a word before sending gets the answer instead; from the others a little more is taken and thrown away.
            for (var total = 0L; !(tooLarge && request.Headers.Expect.Count > 0)
                && await request.Body.ReadAsync(chunk, cancellationToken) is var count and > 0;)
            {
                total += count;
                tooLarge |= total > LargestBody;
                if (total > MostDiscarded)
                    break;
                if (tooLarge)
                    continue;
                budget.Take(request.HttpContext, count);
                buffer.Write(chunk, 0, count);
            }

            return tooLarge
                ? throw new ProblemException(
                    Problem.TooLarge($"The body is larger than {LargestBody >> 20} MB; hand the work in as several requests."))
                : buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
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
