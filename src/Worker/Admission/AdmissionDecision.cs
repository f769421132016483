using LlmQueue.Catalogue;
using LlmQueue.Limits;

namespace LlmQueue.Worker.Admission;

/// <summary>One way a task could go.</summary>
/// <param name="BucketId">The bucket.</param>
/// <param name="Model">The model.</param>
/// <param name="Bucket">Its levels at this moment.</param>
/// <param name="Demand">What the task would take.</param>
/// <param name="PriceUsd">The most it can cost there; null when a price is unknown.</param>
public sealed record Candidate(string BucketId, ModelEntry Model, TokenBucket Bucket, ResourceDemand Demand, decimal? PriceUsd);

/// <summary>What admission decides for a task. A closed set.</summary>
public abstract record AdmissionDecision
{
    /// <summary>These have room, best first.</summary>
    public sealed record Open(IReadOnlyList<Candidate> InOrder, string? WhyNotFirst) : AdmissionDecision;

    /// <summary>None has room now; the task stands in the line of <paramref name="Buckets"/>.</summary>
    /// <param name="Buckets">The buckets of the line.</param>
    /// <param name="Reason">Why, as a sentence.</param>
    /// <param name="ExpectedAt">When the first of them has room again, whoever stands before the task; null when that is not known.</param>
    /// <param name="Tokens">What the call would take there, on average.</param>
    public sealed record NoRoom(IReadOnlyList<string> Buckets, string Reason, DateTime? ExpectedAt, double Tokens) : AdmissionDecision;

    /// <summary>No money: the task waits for a budget.</summary>
    public sealed record NoMoney(string Budget, string Reason, DateTime? ExpectedAt, decimal? NeededUsd) : AdmissionDecision;

    /// <summary>It can never run as asked.</summary>
    public sealed record Impossible(string Reason) : AdmissionDecision;
}
