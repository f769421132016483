namespace LlmQueue.Storage.Rankings;

/// <summary>
/// What runs have taught about one model, for one subject and kind of task. Every sum fades with each run of the subject and kind,
/// whichever model made it: it is as of <see cref="AsOfRun"/>, and what a reader sees at run n is that times RankingRule.Fading to the
/// power of the runs since. The row without a model counts the runs of all.
/// </summary>
public sealed class RankingRow
{
    /// <summary>"agent:TENANT/AGENT", "all" for tasks without an agent, or "pool" for pages.</summary>
    public string Subject { get; set; } = "";
    public string Kind { get; set; } = "";
    /// <summary>As provider:model; empty for the count of all.</summary>
    public string Model { get; set; } = "";
    /// <summary>All it ever made; nothing of it fades.</summary>
    public long Runs { get; set; }
    public long AsOfRun { get; set; }
    public double Weight { get; set; }
    public double Successes { get; set; }
    /// <summary>Of the successful runs, each from 0 to 1.</summary>
    public double Speed { get; set; }
    /// <summary>Of the successful runs: how long they took.</summary>
    public double Seconds { get; set; }
    public double Quality { get; set; }
    public double QualityWeight { get; set; }
    public DateTime SeenAt { get; set; }

    public const string Everybody = "all";
    public const string Pool = "pool";

    /// <summary>Whose work it is: an agent's name is its tenant's own.</summary>
    public static string SubjectOf(string tenant, string? agent) => agent is null ? Everybody : AgentsOf(tenant) + agent;

    public static string AgentsOf(string tenant) => $"agent:{tenant}/";
}

/// <summary>Feedback on a task's answer. One a task: a later one replaces it.</summary>
public sealed class FeedbackRow
{
    public Guid TaskId { get; set; }
    public string Tenant { get; set; } = "";
    /// <summary>The model whose answer it is.</summary>
    public string Model { get; set; } = "";
    /// <summary>0 (useless) to 1 (perfect).</summary>
    public double Score { get; set; }
    public string? Comment { get; set; }
    public DateTime At { get; set; }
}
