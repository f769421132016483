using LlmQueue.Limits;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>Room taken in a bucket and money taken from budgets for one call.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Demand">Requests and tokens.</param>
/// <param name="Usd">The call's highest price in US dollars; null when a price is unknown.</param>
/// <param name="Budgets">The budgets it draws on.</param>
public sealed record Reservation(string Bucket, ResourceDemand Demand, decimal? Usd, IReadOnlyList<string> Budgets);
