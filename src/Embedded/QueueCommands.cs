using System.CommandLine;
using System.CommandLine.Help;
using LlmQueue.Catalogue;
using LlmQueue.Embedded.Checkup;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Embedded.Routing;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Embedded.Tasks;
using LlmQueue.Limits;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Embedded;

/// <summary>The command line of ./run.sh.</summary>
public static class QueueCommands
{
    public static async Task<int> Run(string[] args)
    {
        using var signals = new StopSignals();
        var root = Root(signals.Token);
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            foreach (var error in parsed.Errors)
                await Console.Error.WriteLineAsync(error.Message);
            await Console.Error.WriteLineAsync();
            await Console.Error.WriteAsync(Help(root.Parse([.. Path(parsed.CommandResult.Command), "--help"])));
            return ExitCodes.WrongUse;
        }

        if (parsed.Action is HelpAction)
        {
            await Console.Out.WriteAsync(Help(parsed));
            return ExitCodes.Done;
        }

        try
        {
            // Signals are ours: a command ends in good order or says what is left.
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, CancellationToken.None);
        }
        catch (Exception fault) when (Refusals.Of(fault) is { } sentences)
        {
            foreach (var sentence in sentences)
                await Console.Error.WriteLineAsync(sentence);
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

    private static RootCommand Root(CancellationToken stop)
    {
        var root = new RootCommand("LlmQueue: a durable queue of tasks for language models. Without a command it starts the queue and stays.");
        root.SetAction((_, _) => ServeCommand.Run(stop));
        root.Subcommands.Add(Summarize(stop));
        root.Subcommands.Add(Submit(stop));
        root.Subcommands.Add(Status(stop));
        root.Subcommands.Add(Budget(stop));
        root.Subcommands.Add(Route(stop));
        root.Subcommands.Add(Doctor(stop));
        return root;
    }

    private static Command Summarize(CancellationToken stop)
    {
        var paths = new Argument<string[]>("PATH") { Description = "Files or folders of .md, .txt, .html, .htm", Arity = ArgumentArity.OneOrMore };
        var question = new Option<string?>("--question") { Description = "What you want to know from the pages", HelpName = "TEXT" };
        var model = new Option<string?>("--model") { Description = "The model for the plan and the answer, as 'provider:model'; the pages are spread over the pool", HelpName = "ID" };
        var markdown = new Option<string?>("--out") { Description = "Write the result as Markdown", HelpName = "FILE" };
        var json = new Option<string?>("--json") { Description = "Write everything as JSON", HelpName = "FILE" };
        var fresh = new Option<bool>("--fresh") { Description = "Do it again although it was done before; a run that was broken off is gone on with all the same, also without --fresh" };
        var command = new Command("summarize", "Summarises files or folders, page by page and as a whole. Run again after a crash, it goes on where it was.") { paths, question, model, markdown, json, fresh };
        command.SetAction((parsed, _) => SummarizeCommand.Run(
            new SummarizeRequest(parsed.GetRequiredValue(paths), Blank(parsed.GetValue(question)), Blank(parsed.GetValue(model)), parsed.GetValue(markdown), parsed.GetValue(json), parsed.GetValue(fresh)),
            TimeProvider.System, stop));
        return command;
    }

    private static Command Submit(CancellationToken stop)
    {
        var file = new Argument<string>("FILE.jsonl") { Description = "A task a line, as POST /v1/tasks takes it; - is the standard input" };
        var wait = new Option<bool>("--wait") { Description = "Work until every task has ended, then print a JSON line for each, in the file's order" };
        var skip = new Option<bool>("--skip-bad") { Description = "Leave out lines that are wrong, instead of submitting nothing" };
        var command = new Command("submit", "Enqueues the tasks of a file. The same file again submits nothing twice.") { file, wait, skip };
        command.SetAction((parsed, _) => SubmitCommand.Run(new SubmitRequest(parsed.GetRequiredValue(file), parsed.GetValue(wait), parsed.GetValue(skip)), TimeProvider.System, stop));
        return command;
    }

    private static Command Status(CancellationToken stop)
    {
        var id = new Argument<string?>("ID") { Description = "A task's or a summary's id", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("status", "Shows what is queued, what waits and why; with an id, everything about that one.") { id };
        command.SetAction((parsed, _) => StatusCommand.Run(parsed.GetValue(id), TimeProvider.System, stop));
        return command;
    }

    private static Command Budget(CancellationToken stop)
    {
        var amount = new Argument<string>("USD") { Description = "US dollars, or 'none' to lift the limit" };
        var scope = new Option<string>("--scope") { Description = "installation, tenant:NAME, or class:NAME for an agent or a kind of task", HelpName = "SCOPE", DefaultValueFactory = _ => "installation" };
        var period = new Option<string>("--period") { Description = "day or month", HelpName = "PERIOD", DefaultValueFactory = _ => "day" };
        var command = new Command("budget", "Sets what may be spent. What waits for the money moves at once.") { amount, scope, period };
        command.SetAction((parsed, _) => BudgetCommand.Run(parsed.GetRequiredValue(amount), parsed.GetRequiredValue(scope), parsed.GetRequiredValue(period), TimeProvider.System, stop));
        return command;
    }

    private static Command Route(CancellationToken stop)
    {
        var text = new Argument<string>("TEXT") { Description = "The prompt; - is the standard input" };
        var kind = new Option<string?>("--kind") { Description = "What its producer would say it is: code, analysis, …", HelpName = "KIND" };
        var complexity = new Option<string?>("--complexity") { Description = "low, medium or high, as its producer would say", HelpName = "LEVEL" };
        var priority = new Option<string?>("--priority") { Description = "interactive, normal or batch", HelpName = "CLASS" };
        var stakes = new Option<bool>("--high-stakes") { Description = "Never downgraded" };
        var agent = new Option<string?>("--agent") { Description = "The caller's own class of work", HelpName = "NAME" };
        var tenant = new Option<string?>("--tenant") { Description = "Whose task it is; the catalogue knows the tier", HelpName = "NAME" };
        var model = new Option<string?>("--model") { Description = "The model that alone may answer", HelpName = "ID" };
        var output = new Option<int>("--max-output") { Description = "The longest answer, in tokens", HelpName = "N", DefaultValueFactory = _ => TaskIntake.DefaultMaxOutputTokens };
        var turns = new Option<int>("--turns") { Description = "Messages of the conversation, this one among them", HelpName = "N", DefaultValueFactory = _ => 1 };
        var load = new Option<double>("--load") { Description = "How full the limits are taken to be, 0 to 1", HelpName = "SHARE" };
        var command = new Command("route", "Shows how a task would be read and where it would go, and why. Nobody is called.") { text, kind, complexity, priority, stakes, agent, tenant, model, output, turns, load };
        command.SetAction((parsed, _) => RouteCommand.Run(
            new RouteQuestion(parsed.GetRequiredValue(text))
            {
                Kind = Blank(parsed.GetValue(kind)), Complexity = Blank(parsed.GetValue(complexity))?.ToLowerInvariant(), Priority = Blank(parsed.GetValue(priority)), HighStakes = parsed.GetValue(stakes),
                Agent = Blank(parsed.GetValue(agent)), Tenant = Blank(parsed.GetValue(tenant)), Model = Blank(parsed.GetValue(model)),
                MaxOutputTokens = parsed.GetValue(output), Turns = parsed.GetValue(turns), Load = parsed.GetValue(load),
            },
            TimeProvider.System, stop));
        return command;
    }

    private static Command Doctor(CancellationToken stop)
    {
        var command = new Command("doctor", "Checks settings, keys, database, broker, port and disk, and says what to do.");
        command.SetAction((_, _) => DoctorCommand.Run(TimeProvider.System, stop));
        return command;
    }

    private static string? Blank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static IEnumerable<string> Path(Command command) => command is RootCommand ? [] : [command.Name];
}
