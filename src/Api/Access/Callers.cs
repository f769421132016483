using System.Security.Cryptography;
using System.Text;
using LlmQueue.Store.Settings;

namespace LlmQueue.Api.Access;

/// <summary>Who calls.</summary>
/// <param name="Tenant">Whose work it hands in.</param>
/// <param name="SeesAll">True on an installation without tokens: whoever sits at the machine sees everybody's work.</param>
public sealed record Caller(string Tenant, bool SeesAll)
{
    public bool MaySee(string tenant) => SeesAll || tenant == Tenant;
}

/// <summary>The bearer tokens, of which only hashes are kept.</summary>
public sealed class Callers
{
    private readonly List<(string Name, byte[] Hash)> tokens;

    public Callers(IEnumerable<ApiToken> tokens) => this.tokens = [.. tokens.Select(t => (t.Name, Hash(t.Secret)))];

    /// <summary>No tokens are configured: only this machine may call.</summary>
    public bool AreLocal => tokens.Count == 0;

    /// <summary>Null when nobody has this secret. Every token is compared, and every comparison takes the same time.</summary>
    public Caller? Of(string secret)
    {
        var hash = Hash(secret);
        string? found = null;
        foreach (var token in tokens)
            if (CryptographicOperations.FixedTimeEquals(hash, token.Hash))
                found = token.Name;
        return found is null ? null : new Caller(found, SeesAll: false);
    }

    private static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
