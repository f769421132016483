namespace LlmQueue.Bench.Throughput;

/// <summary>A queue that is measured, started and warm: ours or a peer.</summary>
internal interface IContender : IAsyncDisposable
{
    string Name { get; }

    /// <summary>Whose memory counts.</summary>
    int Worker { get; }

    Clocks Clocks { get; }

    /// <summary>Publishes so many tasks and returns when the last one is done: the time from the first's publishing to then, and where a rate is kept each one's own, in milliseconds.</summary>
    Task<(TimeSpan Took, IReadOnlyList<double> Latencies)> Do(string run, int tasks, int rate);
}
