using System.CommandLine;
using LlmQueue.Embedded.Checkup;
using LlmQueue.Embedded.Routing;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Embedded.Tasks;

namespace LlmQueue.Embedded;

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
}
