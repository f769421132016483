using LlmQueue.Hosting.Settings;

namespace LlmQueue.Hosting.Http;

/// <summary>
/// Checks a webhook address before it is stored. A webhook is signed or not sent: its receiver must be able to verify the sender.
/// </summary>
public sealed class WebhookChecks(QueueSettings settings, OutboundHttp outside)
{
    /// <summary>Why nobody could be told at this address, as a sentence; null when nothing is wrong with it, or none is given.</summary>
    public string? WhyNot(string? url, string tenant)
    {
        if (string.IsNullOrWhiteSpace(url))
            return null;
        if (!Uri.TryCreate(url.Trim(), UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            return $"The webhook's address is '{(url.Length > 100 ? url[..100] + "…" : url)}'; expected an absolute http or https address.";
        return WhyUnsigned(tenant) ?? (outside.WhyNot(address) is { } forbidden ? $"The webhook cannot be called: {forbidden}" : null);
    }

    /// <summary>Why a tenant's calls cannot be signed; null when they can.</summary>
    public string? WhyUnsigned(string tenant) => settings.WebhookSecretsOf(tenant).Count > 0 ? null
        : $"LLMQUEUE_WEBHOOK_SECRETS has no secret of '{tenant}', and a webhook that is not signed is not sent: "
            + $"its receiver could not know whose it is. Set LLMQUEUE_WEBHOOK_SECRETS=\"{tenant}:whsec_…\" with 24 to 64 bytes in base64, "
            + "for example from: echo \"whsec_$(openssl rand -base64 32)\".";
}
