using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;

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

    public IReadOnlyList<LlmMessage> Messages => [.. Enumerable.Range(1, Turns - 1).Select(i => new LlmMessage(i % 2 == 1 ? "user" : "assistant", "…")), new LlmMessage("user", Text)];
}

/// <summary>Shows how a task would be read and where it would go. Nobody is called, nothing is started and nothing is written.</summary>
internal static class RouteCommand
{
    public static async Task<int> Run(RouteQuestion question, TimeProvider clock, CancellationToken stop)
    {
        var installation = Installation.Read();
        if (question.Text == "-")
            question = question with { Text = await Console.In.ReadToEndAsync(stop) };
        if (WhatIsWrong(question) is { } wrong)
            throw new RefusalException(wrong);
        // Where no key is set, the simulated provider stands for one.
        var simulated = installation.Settings.NoKeys;
        var catalogue = simulated ? installation.Catalogue.WithLimitsTimes(Installation.SimulatedScale) : installation.Catalogue;
        bool HasKey(string provider) => simulated ? provider == Installation.SimulatedName : installation.Settings.Providers.ContainsKey(provider);
        var text = RouteText.Of(question, catalogue, HasKey, DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime));
        if (simulated)
            await Console.Error.WriteLineAsync($"No key is set, so only {Installation.SimulatedName} is there, simulated.");
        foreach (var line in text.Lines)
            await Console.Out.WriteLineAsync(line);
        return text.HasChain ? ExitCodes.Done : ExitCodes.WrongUse;
    }

    private static string? WhatIsWrong(RouteQuestion question) =>
        string.IsNullOrWhiteSpace(question.Text) ? "The text is empty; expected a question or an instruction, or - to read it from the standard input."
        : Priorities.Parse(question.Priority) is null ? $"--priority is '{question.Priority}'; expected interactive, normal or batch."
        : question.Complexity is not (null or "low" or "medium" or "high") ? $"--complexity is '{question.Complexity}'; expected low, medium or high."
        : question.Turns < 1 ? $"--turns is {question.Turns}; expected 1 or more, this message among them."
        : question.MaxOutputTokens < 1 ? $"--max-output is {question.MaxOutputTokens}; expected 1 or more tokens."
        : question.Load is not (>= 0 and <= 1) ? $"--load is {question.Load}; expected 0 to 1."
        : null;
}
