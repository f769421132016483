using System.Security.Cryptography;
using System.Text;

namespace LlmQueue.Worker.Webhooks;

/// <summary>
/// Signs webhooks as Standard Webhooks 1.0 specifies: an HMAC-SHA256 over id, time and body with each secret of the tenant, so that one can
/// be exchanged while both are valid.
/// </summary>
public static class WebhookSignature
{
    public static string Of(IReadOnlyList<byte[]> secrets, string id, long timestamp, ReadOnlySpan<byte> body)
    {
        var head = Encoding.UTF8.GetBytes($"{id}.{timestamp}.");
        var signed = new byte[head.Length + body.Length];
        head.CopyTo(signed, 0);
        body.CopyTo(signed.AsSpan(head.Length));
        return string.Join(' ', secrets.Select(secret => $"v1,{Convert.ToBase64String(HMACSHA256.HashData(secret, signed))}"));
    }
}
