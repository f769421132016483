namespace LlmQueue.Hosting.Settings;

/// <summary>Who may use the API; the name is the tenant.</summary>
/// <param name="Name">The tenant.</param>
/// <param name="Secret">The token itself, or its SHA-256 as <c>sha256-…</c> in hex.</param>
/// <param name="ReadsOnly">It may look and change nothing.</param>
public sealed record ApiToken(string Name, string Secret, bool ReadsOnly = false)
{
    public override string ToString() => Name;
}

/// <summary>A secret that signs what a tenant's addresses are told.</summary>
public sealed record WebhookSecret(string Tenant, byte[] Key)
{
    public override string ToString() => Tenant;
}
