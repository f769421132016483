namespace ProviderSimulator.Record;

/// <summary>Every call since the last reset, in order of arrival. Memory only, about 200 bytes a call; the file is beside it.</summary>
internal sealed class CallLog(TimeProvider time, CallFile? file)
{
    private readonly Lock _gate = new();
    private List<CallRecord> _calls = [];
    private int _inFlight;
    private int _peakInFlight;

    public int InFlight => Volatile.Read(ref _inFlight);

    public int PeakInFlight => Volatile.Read(ref _peakInFlight);

    public void Arrive(CallRecord call)
    {
        call.ArrivedAt = time.GetUtcNow();
        lock (_gate)
        {
            _calls.Add(call);
            call.N = _calls.Count;
            // Interlocked, because a call ends without this gate.
            _peakInFlight = Math.Max(_peakInFlight, Interlocked.Increment(ref _inFlight));
        }

        file?.Arrive(call);
    }

    public void End(CallRecord call)
    {
        call.EndedAt = time.GetUtcNow();
        call.Ended = true;
        Interlocked.Decrement(ref _inFlight);
        file?.End(call);
    }

    /// <summary>The calls numbered above a number.</summary>
    public CallRecord[] Since(long number)
    {
        lock (_gate)
        {
            var skip = (int)Math.Clamp(number, 0, _calls.Count);
            return [.. _calls[skip..]];
        }
    }

    /// <summary>
    /// The same, once the calls whose last bytes have gone out are written down: a test that has its answer and asks for the log must
    /// not find the call unfinished.
    /// </summary>
    public async Task<CallRecord[]> SettledSince(long number)
    {
        const int MostWaits = 100;
        var calls = Since(number);
        for (var waits = 0; waits < MostWaits && Array.Exists(calls, call => call.Closing && !call.Ended); waits++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2), time, CancellationToken.None);
        }

        return calls;
    }

    // Calls in flight stay counted: they end in their own time, in a log that no longer lists them.
    public void Reset()
    {
        lock (_gate)
        {
            _calls = [];
            _peakInFlight = _inFlight;
        }

        file?.Reset();
    }
}
