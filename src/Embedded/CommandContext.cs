namespace LlmQueue.Embedded;

/// <summary>What every command is given.</summary>
/// <param name="Clock">The time.</param>
/// <param name="Stop">Ctrl-C and SIGTERM.</param>
internal sealed record CommandContext(TimeProvider Clock, CancellationToken Stop)
{
    /// <summary>An option that was given without anything in it counts as left out.</summary>
    public static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
