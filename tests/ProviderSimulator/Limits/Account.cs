using ProviderSimulator.Settings;

namespace ProviderSimulator.Limits;

/// <summary>Why a call was turned away. TooLarge: it would not fit into an untouched window either.</summary>
internal sealed record Refusal(LimitWindow Window, long Limit, long Used, long Requested, TimeSpan Wait, bool TooLarge);

/// <summary>What the headers tell about a window.</summary>
internal readonly record struct Standing(long Limit, long Remaining, TimeSpan TimeToFull);

/// <summary>
/// The four windows of one organisation on one model. Each is a bucket that drips back continuously (limit / window length), which is
/// what Groq's published samples add up to; only the used amount is kept, so a limit can change while it runs.
/// </summary>
internal sealed class Account(string org, string model, double nowSeconds)
{
    private readonly Lock _gate = new();
    private readonly double[] _used = new double[LimitWindows.All.Length];
    private readonly double[] _highestShare = new double[LimitWindows.All.Length];
    private double _seenSeconds = nowSeconds;

    public string Org { get; } = org;
    public string Model { get; } = model;

    /// <summary>All four or nothing. Among several windows in the way, the one with the longest wait is named.</summary>
    public Refusal? Charge(ModelCard card, long tokens, double nowSeconds)
    {
        lock (_gate)
        {
            Drip(card, nowSeconds);
            Refusal? refusal = null;
            foreach (var window in LimitWindows.All)
            {
                if (card.Limit(window) is { } limit && Check(window, limit, window.CountsTokens ? tokens : 1) is { } found
                    && (refusal is null || (found.TooLarge, found.Wait).CompareTo((refusal.TooLarge, refusal.Wait)) > 0))
                {
                    refusal = found;
                }
            }

            if (refusal is null)
            {
                Add(card, requests: 1, tokens);
            }

            return refusal;
        }
    }

    /// <summary>What the end of a call adds (output nobody announced) or gives back (negative).</summary>
    public void Correct(ModelCard card, long tokens, double nowSeconds)
    {
        lock (_gate)
        {
            Drip(card, nowSeconds);
            Add(card, requests: 0, tokens);
        }
    }

    public Standing? Stand(ModelCard card, LimitWindow window, double nowSeconds)
    {
        if (card.Limit(window) is not { } limit)
        {
            return null;
        }

        lock (_gate)
        {
            Drip(card, nowSeconds);
            var used = _used[(int)window];
            return new Standing(limit, Math.Max(0, limit - Whole(used)), Wait(window, limit, used));
        }
    }

    public double HighestShare(LimitWindow window)
    {
        lock (_gate)
        {
            return _highestShare[(int)window];
        }
    }

    public void Refill()
    {
        lock (_gate)
        {
            Array.Clear(_used);
            Array.Clear(_highestShare);
        }
    }

    private Refusal? Check(LimitWindow window, long limit, long requested)
    {
        var used = Whole(_used[(int)window]);
        var over = used + requested - limit;
        return over <= 0 ? null : new Refusal(window, limit, used, requested, Wait(window, limit, over), requested > limit);
    }

    private void Add(ModelCard card, long requests, long tokens)
    {
        foreach (var window in LimitWindows.All)
        {
            ref var used = ref _used[(int)window];
            used = Math.Max(0, used + (window.CountsTokens ? tokens : requests));
            if (card.Limit(window) is > 0 and { } limit)
            {
                _highestShare[(int)window] = Math.Max(_highestShare[(int)window], used / limit);
            }
        }
    }

    private void Drip(ModelCard card, double nowSeconds)
    {
        var elapsedSeconds = Math.Max(0, nowSeconds - _seenSeconds);
        _seenSeconds += elapsedSeconds;
        foreach (var window in LimitWindows.All)
        {
            var limit = card.Limit(window) ?? 0;
            _used[(int)window] = Math.Max(0, _used[(int)window] - (elapsedSeconds * limit / window.LengthSeconds));
        }
    }

    // A limit of zero never drips: say one window, rather than for ever.
    private static TimeSpan Wait(LimitWindow window, long limit, double amount) =>
        TimeSpan.FromSeconds(limit > 0 ? amount * window.LengthSeconds / limit : window.LengthSeconds);

    private static long Whole(double used) => (long)Math.Ceiling(used - 1e-6);
}
