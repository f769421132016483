using System.CommandLine;
using LlmQueue.Contracts;

namespace LlmQueue.Embedded.Routing;

/// <summary>What the person asked for.</summary>
internal sealed record RouteQuestion(string Text)
{
    public string? Kind { get; init; }
    public string? Complexity { get; init; }
    public string? Priority { get; init; }
    public string? Agent { get; init; }
    public string? Tenant { get; init; }
    public string? Model { get; init; }
    public bool HighStakes { get; init; }
    public int MaxOutputTokens { get; init; }

    /// <summary>Messages of the conversation, this one among them.</summary>
    public int Turns { get; init; } = 1;

    /// <summary>How full the limits are taken to be, 0 to 1.</summary>
    public double Load { get; init; }

    public IReadOnlyList<LlmMessage> Messages => [
        .. Enumerable.Range(1, Turns - 1).Select(i => new LlmMessage(i % 2 == 1 ? "user" : "assistant", "…")),
        new LlmMessage("user", Text)];
}
