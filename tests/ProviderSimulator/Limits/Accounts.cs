using System.Collections.Concurrent;

namespace ProviderSimulator.Limits;

/// <summary>One account per organisation and model: two keys of one organisation drain the same buckets.</summary>
internal sealed class Accounts(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Org, string Model), Account> _accounts = new();
    private readonly long _start = time.GetTimestamp();

    public double NowSeconds => time.GetElapsedTime(_start).TotalSeconds;

    public IReadOnlyCollection<Account> All => [.. _accounts.Values];

    public Account Of(string org, string model) =>
        _accounts.TryGetValue((org, model), out var account)
            ? account
            : _accounts.GetOrAdd((org, model), static (key, now) => new Account(key.Org, key.Model, now), NowSeconds);

    // Accounts stay and are emptied: a call in flight holds on to its own.
    public void Refill()
    {
        foreach (var account in _accounts.Values)
        {
            account.Refill();
        }
    }
}
