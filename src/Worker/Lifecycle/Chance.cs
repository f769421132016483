namespace LlmQueue.Worker.Lifecycle;

/// <summary>Chance, passed in: a seed makes every jitter repeatable.</summary>
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
