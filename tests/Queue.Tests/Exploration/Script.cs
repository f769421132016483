namespace LlmQueue.Tests.Exploration;

/// <summary>
/// The numbers that decide a history: drawn from a seed, and kept, so that a history that breaks a law can be told again with fewer of
/// them. Past its end every number is 0.
/// </summary>
internal sealed class Script(IReadOnlyList<int>? written, ulong seed)
{
    private const int Longest = 600;

    private readonly List<int> drawn = [];
    private ulong state = (seed + 1) * 0x9E3779B97F4A7C15;
    private int at;

    public IReadOnlyList<int> Numbers => written ?? drawn;

    public bool IsOver => at >= (written?.Count ?? Longest);

    public int Next(int below)
    {
        if (IsOver)
        {
            return 0;
        }

        if (written is null)
        {
            drawn.Add(Draw());
        }

        return Numbers[at++] % below;
    }

    // https://prng.di.unimi.it/xorshift64star: fast, and the same everywhere.
    private int Draw()
    {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return (int)((state * 0x2545F4914F6CDD1D) >> 40);
    }
}
