using LlmQueue.Contracts;
using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Storage.Commits;

/// <summary>Observes commits at the moment they are durable: metrics that are counted here agree with the rows.</summary>
public interface ICommitObserver
{
    /// <summary>A group is durable.</summary>
    void Committed(IReadOnlyCollection<UnitOfWork> units);

    /// <summary>A unit of work was not committed and is decided again.</summary>
    void DecidedAgain(CommitOutcome why);

    /// <summary>A quota or a budget has crossed a threshold.</summary>
    void ThresholdReached(QuotaThresholdReached alert);

    /// <summary>A circuit breaker has opened, begun to recover, or closed.</summary>
    void HealthChanged(ProviderHealthChanged health);
}
