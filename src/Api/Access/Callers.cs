using System.Security.Cryptography;
using System.Text;
using LlmQueue.Hosting.Settings;

namespace LlmQueue.Api.Access;

/// <summary>The authenticated caller of a request.</summary>
/// <param name="Tenant">Whose work it hands in.</param>
/// <param name="SeesAll">True on an installation without tokens: whoever sits at the machine sees everybody's work.</param>
/// <param name="ReadsOnly">It may look, and change nothing.</param>
public sealed record Caller(string Tenant, bool SeesAll, bool ReadsOnly = false)
{
    /// <summary>The tenant whose rows it may read; null: everybody's.</summary>
    public string? Scope => SeesAll ? null : Tenant;

    public bool MaySee(string tenant) => SeesAll || tenant == Tenant;
}

/// <summary>Authenticates bearer tokens. Only hashes of them are kept.</summary>
public sealed class Callers
{
    private const string Hashed = "sha256-";
    private readonly List<(ApiToken Token, byte[] Hash)> _tokens;
    private readonly byte[]? _installation;

    /// <param name="tokens">The tenants'.</param>
    /// <param name="installation">The secret of the installation's own commands; null where nobody has it.</param>
    public Callers(IEnumerable<ApiToken> tokens, string? installation = null)
    {
        _installation = installation is null ? null : Hash(installation);
        _tokens =
        [
            .. tokens.Select(t => (t with { Secret = "" },
                t.Secret.StartsWith(Hashed, StringComparison.Ordinal) ? Convert.FromHexString(t.Secret[Hashed.Length..]) : Hash(t.Secret))),
        ];
    }

    /// <summary>No tokens are configured: only this machine may call.</summary>
    public bool AreLocal => _tokens.Count == 0;

    /// <summary>A command of this installation, whose user could as well open its database.</summary>
    public bool IsInstallation(string secret) =>
        _installation is not null && CryptographicOperations.FixedTimeEquals(Hash(secret), _installation);

    /// <summary>Null when nobody has this secret. Every token is compared, and every comparison takes the same time.</summary>
    public Caller? Of(string secret)
    {
        var hash = Hash(secret);
        ApiToken? found = null;
        foreach (var (token, known) in _tokens)
            if (CryptographicOperations.FixedTimeEquals(hash, known))
                found = token;
        return found is null ? null : new Caller(found.Name, SeesAll: false, found.ReadsOnly);
    }

    private static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
