using System.CommandLine;
using LlmQueue.Embedded.Checkup;
using LlmQueue.Embedded.Routing;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Embedded.Tasks;

namespace LlmQueue.Embedded;

/// <summary>The context of every command.</summary>
/// <param name="Clock">The time.</param>
/// <param name="Stop">Ctrl-C and SIGTERM.</param>
internal sealed record CommandContext(TimeProvider Clock, CancellationToken Stop);

/// <summary>The commands of ./run.sh in the order of its help: a new one is a class with its options, and a line here.</summary>
internal static class CommandList
{
    public static readonly IReadOnlyList<Func<CommandContext, Command>> All =
    [
        SummarizeCommand.Define,
        SubmitCommand.Define,
        StatusCommand.Define,
        BudgetCommand.Define,
        RouteCommand.Define,
        DoctorCommand.Define,
    ];

    /// <summary>An option that was given without anything in it counts as left out.</summary>
    public static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
