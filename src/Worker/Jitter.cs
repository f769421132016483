namespace LlmQueue.Worker;

/// <summary>A seeded source of random numbers for jitter and sampling: passed in, so that a seed makes every run repeatable.</summary>
public class Jitter(int seed)
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);

    /// <summary>A number in [0, 1).</summary>
    public virtual double Next()
    {
        lock (_lock)
            return _random.NextDouble();
    }
}
