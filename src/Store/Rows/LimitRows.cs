namespace LlmQueue.Store.Rows;

/// <summary>
/// What one organisation may still ask of one model: a level for each of four windows, refilled continuously at limit/window.
/// Every key of the organisation draws on it. Counters of what was reserved, settled and released never go back, so that
/// reserved = settled + released can be checked whenever nothing is in flight.
/// </summary>
public sealed class BucketRow
{
    /// <summary>provider/organisation/model.</summary>
    public string Id { get; set; } = "";
    public string Provider { get; set; } = "";
    public string Organisation { get; set; } = "";
    public string Model { get; set; } = "";

    // Limits; null is not limited
    public double? RequestsPerMinute { get; set; }
    public double? RequestsPerDay { get; set; }
    public double? TokensPerMinute { get; set; }
    public double? TokensPerDay { get; set; }

    /// <summary>The limits of the catalogue from which these began; what headers taught since is kept until the catalogue itself says something else.</summary>
    public string CatalogueLimits { get; set; } = "";

    // Levels as of AsOf
    public DateTime AsOf { get; set; }
    public double LevelRequestsMinute { get; set; }
    public double LevelRequestsDay { get; set; }
    public double LevelTokensMinute { get; set; }
    public double LevelTokensDay { get; set; }

    /// <summary>Until then the window does not drip: it was full, and the first call has been reserved and is on its way. See BucketRule.Arrived.</summary>
    public DateTime? RequestsDripFrom { get; set; }
    public DateTime? TokensDripFrom { get; set; }

    // What is known of the requests a minute, which Groq tells in no header; see RequestProof
    /// <summary>What the catalogue said when the limit was last taken from it: another word of it counts, the same one does not undo what was learned.</summary>
    public double? ClaimedRequestsPerMinute { get; set; }
    /// <summary>The provider itself has named the limit; until then it is believed, after that tried again.</summary>
    public DateTime? RequestsKnownUntil { get; set; }
    /// <summary>Requests that the provider has been seen to take within the window.</summary>
    public double ProvenRequests { get; set; }
    /// <summary>Requests within the window at <see cref="MarkAt"/>: proven by the first answer to a call that was made later.</summary>
    public double MarkRequests { get; set; }
    public DateTime? MarkAt { get; set; }

    // Closed by the provider
    public DateTime? ClosedUntil { get; set; }
    public string? ClosedReason { get; set; }
    /// <summary>Set when the model is gone or every key was refused: nothing is sent until a person or a probe clears it.</summary>
    public string? DisabledReason { get; set; }

    // Its circuit breaker, shared by all workers; see BreakerRule
    /// <summary>Faults of the provider's with no answer between them.</summary>
    public int FaultsInARow { get; set; }
    /// <summary>When the provider last answered, were it with a refusal.</summary>
    public DateTime? AnsweredAt { get; set; }
    /// <summary>Since then nothing is sent but probes; null while the breaker is closed.</summary>
    public DateTime? BrokenSince { get; set; }
    public string? BrokenReason { get; set; }
    /// <summary>The next call is let through then.</summary>
    public DateTime? ProbeAt { get; set; }
    public int FailedProbes { get; set; }
    /// <summary>Until then calls come back step by step; null when they flow.</summary>
    public DateTime? RampUntil { get; set; }
    /// <summary>Calls that the ramp lets through now.</summary>
    public int RampLeft { get; set; }

    /// <summary>Tasks that stand in a line this bucket may serve; while it is not 0, newcomers stand behind them.</summary>
    public int Waiting { get; set; }
    /// <summary>What they will take, in tokens, by priority class: how long a wait will be is told from these. See Backlog.</summary>
    public double WaitingTokensInteractive { get; set; }
    public double WaitingTokensNormal { get; set; }
    public double WaitingTokensBatch { get; set; }

    // Ledger
    public long ReservedRequests { get; set; }
    public long SettledRequests { get; set; }
    public long ReleasedRequests { get; set; }
    public long ReservedTokens { get; set; }
    public long SettledTokens { get; set; }
    public long ReleasedTokens { get; set; }
    public long Throttled { get; set; }
}

/// <summary>A budget's period: money reserved and money spent, apart.</summary>
public sealed class BudgetRow
{
    /// <summary>scope/period, e.g. installation/2026-11-21.</summary>
    public string Id { get; set; } = "";
    public string Scope { get; set; } = "";
    public DateTime PeriodStart { get; set; }
    public DateTime PeriodEnd { get; set; }
    /// <summary>US dollars; null is unlimited.</summary>
    public decimal? LimitUsd { get; set; }
    public decimal SpentUsd { get; set; }
    public int Waiting { get; set; }

    // Ledger: what is in flight is reserved - settled - released
    public decimal ReservedUsd { get; set; }
    public decimal SettledUsd { get; set; }
    public decimal ReleasedUsd { get; set; }

    public decimal InFlightUsd => ReservedUsd - SettledUsd - ReleasedUsd;
}

/// <summary>A budget that is limited; its periods are BudgetRows.</summary>
public sealed class BudgetLimitRow
{
    /// <summary>installation, tenant:NAME or class:NAME.</summary>
    public string Scope { get; set; } = "";
    /// <summary>day or month.</summary>
    public string Period { get; set; } = "";
    /// <summary>US dollars a period; null is unlimited.</summary>
    public decimal? LimitUsd { get; set; }
    /// <summary>What the environment said when it last had its say; another value there replaces what was set since.</summary>
    public decimal? EnvironmentUsd { get; set; }
}

/// <summary>One key of a provider: its health and what was asked through it. The secret itself is never stored.</summary>
public sealed class KeyRow
{
    public string Alias { get; set; } = "";
    public string Provider { get; set; } = "";
    public string Organisation { get; set; } = "";
    public string? RefusedReason { get; set; }
    public DateTime? RefusedAt { get; set; }
    public long Calls { get; set; }
    public long Throttled { get; set; }
    public long Faults { get; set; }
    public long InputTokens { get; set; }
    public long OutputTokens { get; set; }
    public DateTime? LastUsedAt { get; set; }
}

/// <summary>A tenant's place in the fair order: the virtual time, in tokens, up to which its waiting work is booked.</summary>
public sealed class TenantRow
{
    public string Name { get; set; } = "";
    public double Weight { get; set; } = 1;
    public double VirtualFinish { get; set; }
}

/// <summary>A line of waiting tasks: the buckets that may serve it, in order of preference unless it spreads.</summary>
public sealed class LineRow
{
    public string Id { get; set; } = "";
    /// <summary>Bucket ids, separated by a space.</summary>
    public string Buckets { get; set; } = "";
    public bool Spread { get; set; }

    public IReadOnlyList<string> BucketIds => Buckets.Split(' ');

    /// <summary>The line of these buckets: the same buckets in the same order are the same line in every process.</summary>
    public static LineRow Of(IReadOnlyList<string> buckets, bool spread)
    {
        var text = string.Join(' ', buckets);
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes((spread ? "~" : ">") + text));
        return new LineRow { Id = Convert.ToHexStringLower(hash, 0, 8), Buckets = text, Spread = spread };
    }
}
