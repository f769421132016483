using System.CommandLine;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Hosting;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Embedded.Routing;

/// <summary>The arguments of the route command.</summary>
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

/// <summary>
/// The command ./run.sh route: shows how a task would be classified and routed. No model is called, nothing is started and nothing is
/// written.
/// </summary>
internal static class RouteCommand
{
    public static Command Define(CommandContext context)
    {
        var text = new Argument<string>("TEXT") { Description = "The prompt; - is the standard input" };
        var kind = new Option<string?>("--kind")
        {
            Description = "What its producer would say it is: code, analysis, …", HelpName = "KIND",
        };
        var complexity = new Option<string?>("--complexity")
        {
            Description = "low, medium or high, as its producer would say", HelpName = "LEVEL",
        };
        var priority = new Option<string?>("--priority") { Description = "interactive, normal or batch", HelpName = "CLASS" };
        var stakes = new Option<bool>("--high-stakes") { Description = "Never downgraded" };
        var agent = new Option<string?>("--agent") { Description = "The caller's own class of work", HelpName = "NAME" };
        var tenant = new Option<string?>("--tenant") { Description = "Whose task it is; the catalogue knows the tier", HelpName = "NAME" };
        var model = new Option<string?>("--model") { Description = "The model that alone may answer", HelpName = "ID" };
        var output = new Option<int>("--max-output")
        {
            Description = "The longest answer, in tokens", HelpName = "N", DefaultValueFactory = _ => TaskIntake.DefaultMaxOutputTokens,
        };
        var turns = new Option<int>("--turns")
        {
            Description = "Messages of the conversation, this one among them", HelpName = "N", DefaultValueFactory = _ => 1,
        };
        var load = new Option<double>("--load") { Description = "How full the limits are taken to be, 0 to 1", HelpName = "SHARE" };
        var command = new Command("route", "Shows how a task would be read and where it would go, and why. Nobody is called.")
        {
            text, kind, complexity, priority, stakes, agent, tenant, model, output, turns, load,
        };
        command.SetAction((parsed, _) => Run(
            new RouteQuestion(parsed.GetRequiredValue(text))
            {
                Kind = CommandList.Given(parsed.GetValue(kind)),
                Complexity = CommandList.Given(parsed.GetValue(complexity))?.ToLowerInvariant(),
                Priority = CommandList.Given(parsed.GetValue(priority)), HighStakes = parsed.GetValue(stakes),
                Agent = CommandList.Given(parsed.GetValue(agent)),
                Tenant = CommandList.Given(parsed.GetValue(tenant)), Model = CommandList.Given(parsed.GetValue(model)),
                MaxOutputTokens = parsed.GetValue(output), Turns = parsed.GetValue(turns), Load = parsed.GetValue(load),
            },
            context.Clock, context.Stop));
        return command;
    }

    private static async Task<int> Run(RouteQuestion question, TimeProvider clock, CancellationToken stop)
    {
        var installation = Installation.Read();
        if (question.Text == "-")
            question = question with { Text = await Console.In.ReadToEndAsync(stop) };
        if (WhatIsWrong(question) is { } wrong)
            throw new RefusalException(wrong);
        // Where no key is set, the simulated provider stands for one.
        var simulated = installation.Settings.NoKeys;
        var catalogue = simulated ? installation.Catalogue.WithLimitsTimes(Installation.SimulatedScale) : installation.Catalogue;
        bool HasKey(string provider) =>
            simulated ? provider == Installation.SimulatedName : installation.Settings.Providers.ContainsKey(provider);
        var text = RouteText.Of(question, catalogue, HasKey, DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime));
        if (simulated)
            Terminal.Say($"No key is set, so only {Installation.SimulatedName} is there, simulated.");
        foreach (var line in text.Lines)
            Terminal.WriteLine(VisibleText.Line(line));
        return text.HasChain ? ExitCodes.Done : ExitCodes.WrongUse;
    }

    private static string? WhatIsWrong(RouteQuestion question) =>
        string.IsNullOrWhiteSpace(question.Text)
            ? "The text is empty; expected a question or an instruction, or - to read it from the standard input."
        : Priorities.Parse(question.Priority) is null ? $"--priority is '{question.Priority}'; expected interactive, normal or batch."
        : question.Complexity is not (null or "low" or "medium" or "high")
            ? $"--complexity is '{question.Complexity}'; expected low, medium or high."
        : question.Turns < 1 ? $"--turns is {question.Turns}; expected 1 or more, this message among them."
        : question.MaxOutputTokens < 1 ? $"--max-output is {question.MaxOutputTokens}; expected 1 or more tokens."
        : question.Load is not (>= 0 and <= 1) ? $"--load is {question.Load}; expected 0 to 1."
        : null;
}
