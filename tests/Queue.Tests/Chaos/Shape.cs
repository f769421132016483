namespace LlmQueue.Tests.Chaos;

/// <summary>
/// What one installation is made of and what is asked of it. Two models hold about 430 of the 500 tasks at once; the others stand in line
/// and are let in as the minute refills, so that a fault finds tasks in every state.
/// </summary>
internal sealed record Shape
{
    public const string TwoModels = """
        {
          "models": [
            { "id": "groq:first", "context": 32000, "maxOutput": 1000, "limits": { "rpm": 220, "tpm": 200000 },
              "price": { "inputUsdPerMillion": 0.10, "outputUsdPerMillion": 0.40 } },
            { "id": "groq:second", "context": 32000, "maxOutput": 1000, "limits": { "rpm": 200, "tpm": 200000 },
              "price": { "inputUsdPerMillion": 0.20, "outputUsdPerMillion": 0.80 } },
            { "id": "groq:critic", "context": 32000, "maxOutput": 8000,
              "price": { "inputUsdPerMillion": 0.20, "outputUsdPerMillion": 0.80 } }
          ],
          "passes": { "critique": ["groq:critic"] },
          "routes": [
            { "task": "code", "complexity": "any", "models": ["groq:second", "groq:first"] },
            { "task": "any", "complexity": "any", "models": ["groq:first", "groq:second"] }
          ]
        }
        """;

    public string Catalogue { get; init; } = TwoModels;

    public int Workers { get; init; } = 2;

    public int Tasks { get; init; } = 500;

    /// <summary>
    /// So many are published each fifth of a second: five hundred are on their way for five seconds, so that a fault in the middle
    /// meets new work as well.
    /// </summary>
    public int Wave { get; init; } = 20;

    /// <summary>How long the provider takes, in milliseconds.</summary>
    public string LatencyMs { get; init; } = "200-600";

    /// <summary>What a worker is told that differs: given the installation and the worker's number, from 0.</summary>
    public Func<Installation, int, IReadOnlyDictionary<string, string?>>? Variables { get; init; }
}
