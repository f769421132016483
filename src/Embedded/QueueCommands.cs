using System.CommandLine;
using System.CommandLine.Help;
using LlmQueue.Embedded.Hosting;

namespace LlmQueue.Embedded;

/// <summary>The command line of ./run.sh.</summary>
public static class QueueCommands
{
    public static async Task<int> Run(string[] args)
    {
        using var signals = new StopSignals();
        var root = Root(new CommandContext(TimeProvider.System, signals.Token));
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            foreach (var error in parsed.Errors)
                Terminal.Say(error.Message);
            Terminal.Say("\n" + Help(root.Parse([.. Path(parsed.CommandResult.Command), "--help"])).TrimEnd());
            return ExitCodes.WrongUse;
        }

        if (parsed.Action is HelpAction)
        {
            Terminal.Write(Help(parsed));
            return ExitCodes.Done;
        }

        try
        {
            // Signals are ours: a command ends in good order or says what is left.
            var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(invocation, CancellationToken.None);
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            Terminal.Say("Stopped.");
            return ExitCodes.Interrupted;
        }
        catch (Exception fault) when (Refusals.Of(fault) is { } sentences)
        {
            foreach (var sentence in sentences)
                Terminal.Say(sentence);
            return ExitCodes.WrongUse;
        }
    }

    /// <summary>The help names the program's file; a person knows the script that starts it.</summary>
    private static string Help(ParseResult asked)
    {
        using var text = new StringWriter();
        asked.Invoke(new InvocationConfiguration { Output = text });
        return text.ToString().Replace(RootCommand.ExecutableName, "./run.sh", StringComparison.Ordinal);
    }

    private static RootCommand Root(CommandContext context)
    {
        var root = new RootCommand(
            "LlmQueue: a durable queue of tasks for language models. Without a command it starts the queue and stays.");
        root.SetAction((_, _) => ServeCommand.Run(context.Stop));
        foreach (var define in CommandList.All)
            root.Subcommands.Add(define(context));
        return root;
    }

    private static IEnumerable<string> Path(Command command) => command is RootCommand ? [] : [command.Name];
}
