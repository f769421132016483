namespace LlmQueue.Catalogue;

/// <summary>The facts of a task, and of the moment, that the routing table compares with its columns.</summary>
public sealed record RouteFacts
{
    public string Task { get; init; } = "";
    public string Complexity { get; init; } = "";
    public string Priority { get; init; } = "normal";
    public string Agent { get; init; } = "";
    public string Tier { get; init; } = Tiers.Standard;

    /// <summary>Estimated tokens of the prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Messages of the conversation, instructions to the model not counted.</summary>
    public int Turns { get; init; }

    /// <summary>It cannot be done without what was said before.</summary>
    public bool NeedsContext { get; init; }

    /// <summary>How sure it is what the task is, 0 to 1.</summary>
    public double Confidence { get; init; } = 1;

    /// <summary>How full the limits are, 0 to 1.</summary>
    public double Load { get; init; }

    public bool HighStakes { get; init; }
}

/// <summary>One row of the routing table; the first that fits a task counts. A column left out fits everything.</summary>
public sealed record Route
{
    public const string Any = "any";

    public required string Task { get; init; }
    public required string Complexity { get; init; }

    /// <summary>The fallback chain, first choice first.</summary>
    public required IReadOnlyList<ModelId> Models { get; init; }

    /// <summary>How the row is called in a task's history.</summary>
    public string Name { get => field ?? $"{Task}/{Complexity}"; init; }

    /// <summary><c>interactive</c>, <c>normal</c>, <c>batch</c> or <c>any</c>.</summary>
    public string Priority { get; init; } = Any;

    /// <summary>The caller's class of work, as tasks name it.</summary>
    public string Agent { get; init; } = Any;

    /// <summary>The tenant's tier.</summary>
    public string Tier { get; init; } = Any;

    /// <summary><c>high</c>, <c>normal</c> or <c>any</c>.</summary>
    public string Stakes { get; init; } = Any;

    /// <summary>Estimated tokens of the prompt above which the row applies.</summary>
    public int? MinContext { get; init; }

    /// <summary>Turns of the conversation above which the row applies.</summary>
    public int? MinTurns { get; init; }

    /// <summary>True: only for what needs the turns before it; false: only for what does not.</summary>
    public bool? NeedsContext { get; init; }

    /// <summary>The confidence above which the row applies, 0 to 1.</summary>
    public decimal? MinConfidence { get; init; }

    /// <summary>The load above which the row applies, 0 to 1.</summary>
    public decimal? MinLoad { get; init; }

    public bool Fits(RouteFacts facts) => Misfit(facts) is null;

    /// <summary>
    /// The first column, as the file names it, that speaks against the task; null when none does. Run for every task: it allocates nothing.
    /// </summary>
    public string? Misfit(RouteFacts facts) =>
        !Matches(Task, facts.Task) ? "task"
        : !Matches(Complexity, facts.Complexity) ? "complexity"
        : !Matches(Priority, facts.Priority) ? "priority"
        : !Matches(Agent, facts.Agent) ? "agent"
        : !Matches(Tier, facts.Tier) ? "tier"
        : !Matches(Stakes, facts.HighStakes ? "high" : "normal") ? "stakes"
        : MinContext is { } context && facts.PromptTokens <= context ? "minContext"
        : MinTurns is { } turns && facts.Turns <= turns ? "minTurns"
        : NeedsContext is { } needs && facts.NeedsContext != needs ? "needsContext"
        : MinConfidence is { } sure && !(facts.Confidence > (double)sure) ? "minConfidence"
        : MinLoad is { } load && !(facts.Load > (double)load) ? "minLoad"
        : null;

    /// <summary>True for a row that fits every task: whatever stands behind it never applies.</summary>
    public bool TakesAll => this with { Name = "", Models = [] } == new Route { Task = Any, Complexity = Any, Name = "", Models = [] };

    private static bool Matches(string wanted, string found) =>
        wanted == Any || string.Equals(wanted, found, StringComparison.OrdinalIgnoreCase);
}

/// <summary>The tiers of tenants; a tenant that is named in none is <see cref="Standard"/>.</summary>
public sealed class Tiers(IReadOnlyDictionary<string, string> byTenant)
{
    public const string Standard = "standard";

    public static Tiers None { get; } = new(new Dictionary<string, string>());

    public string Of(string? tenant) => byTenant.GetValueOrDefault(tenant ?? "", Standard);

    /// <summary>Tenant and tier, as the file has them.</summary>
    public IReadOnlyDictionary<string, string> ByTenant => byTenant;
}
