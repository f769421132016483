using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Worker.Admission;

namespace LlmQueue.Worker.Routing;

/// <summary>The load of the installation as this worker sees it, computed a few times a second and not for every task.</summary>
public sealed class SystemLoad(BucketDirectory directory, LimitViews views)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    private volatile Look _last = new(DateTime.MinValue, 0);

    public double At(DateTime now)
    {
        var last = _last;
        if (now - last.Time < LookEvery && now >= last.Time)
            return last.Load;
        var load = LoadRule.Of(directory.All.Select(info => views.Bucket(info.Id)?.At(now)).OfType<TokenBucket>(), now);
        _last = new Look(now, load);
        return load;
    }

    private sealed record Look(DateTime Time, double Load);
}
