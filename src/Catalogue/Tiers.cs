namespace LlmQueue.Catalogue;

/// <summary>Which tenants are of which tier; who is named in none is <see cref="Standard"/>.</summary>
public sealed class Tiers(IReadOnlyDictionary<string, string> byTenant)
{
    public const string Standard = "standard";

    public static Tiers None { get; } = new(new Dictionary<string, string>());

    public string Of(string? tenant) => byTenant.GetValueOrDefault(tenant ?? "", Standard);

    /// <summary>Tenant and tier, as the file has them.</summary>
    public IReadOnlyDictionary<string, string> ByTenant => byTenant;
}
