namespace LlmQueue.Limits;

/// <summary>
/// A token bucket: what one organisation may still ask of one model, as a level for each of four windows, refilled continuously at
/// limit/window. All keys of the organisation share it. Counters of what was reserved, settled and released never go back, so that reserved
/// = settled + released can be checked whenever nothing is in flight.
/// </summary>
public sealed class TokenBucket
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

    /// <summary>
    /// The limits of the catalogue from which these began; what headers taught since is kept until the catalogue itself
    /// says something else.
    /// </summary>
    public string CatalogueLimits { get; set; } = "";

    // Levels as of AsOf
    public DateTime AsOf { get; set; }
    public double LevelRequestsMinute { get; set; }
    public double LevelRequestsDay { get; set; }
    public double LevelTokensMinute { get; set; }
    public double LevelTokensDay { get; set; }

    /// <summary>
    /// Until then the window does not drip: it was full, and the first call has been reserved and is on its way. See BucketRule.Arrived.
    /// </summary>
    public DateTime? RequestsDripFrom { get; set; }
    public DateTime? TokensDripFrom { get; set; }

    // What is known of the requests a minute, which Groq tells in no header; see RequestProof
    /// <summary>
    /// What the catalogue said when the limit was last taken from it: another word of it counts, the same one does not
    /// undo what was learned.
    /// </summary>
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
    public DisabledReason? DisabledReason { get; set; }

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

    /// <summary>Tasks in the wait queues that this bucket serves; while it is not 0, newcomers are enqueued behind them.</summary>
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

    /// <summary>The same values in a bucket of its own, for trying out what may not be.</summary>
    public TokenBucket Copy() => new()
    {
        Id = Id, Provider = Provider, Organisation = Organisation, Model = Model,
        RequestsPerMinute = RequestsPerMinute, RequestsPerDay = RequestsPerDay, TokensPerMinute = TokensPerMinute,
        TokensPerDay = TokensPerDay, CatalogueLimits = CatalogueLimits,
        AsOf = AsOf, LevelRequestsMinute = LevelRequestsMinute, LevelRequestsDay = LevelRequestsDay,
        LevelTokensMinute = LevelTokensMinute, LevelTokensDay = LevelTokensDay,
        ClosedUntil = ClosedUntil, ClosedReason = ClosedReason, DisabledReason = DisabledReason,
        Waiting = Waiting, WaitingTokensInteractive = WaitingTokensInteractive,
        WaitingTokensNormal = WaitingTokensNormal, WaitingTokensBatch = WaitingTokensBatch,
        ReservedRequests = ReservedRequests, SettledRequests = SettledRequests, ReleasedRequests = ReleasedRequests,
        ReservedTokens = ReservedTokens, SettledTokens = SettledTokens, ReleasedTokens = ReleasedTokens,
        Throttled = Throttled,
        RequestsDripFrom = RequestsDripFrom, TokensDripFrom = TokensDripFrom,
        ClaimedRequestsPerMinute = ClaimedRequestsPerMinute, RequestsKnownUntil = RequestsKnownUntil,
        FaultsInARow = FaultsInARow, AnsweredAt = AnsweredAt, BrokenSince = BrokenSince,
        BrokenReason = BrokenReason,
        ProbeAt = ProbeAt, FailedProbes = FailedProbes, RampUntil = RampUntil, RampLeft = RampLeft,
        ProvenRequests = ProvenRequests, MarkRequests = MarkRequests, MarkAt = MarkAt,
    };
}
