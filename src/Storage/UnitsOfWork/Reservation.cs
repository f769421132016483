using LlmQueue.Limits;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>A reservation for one call: capacity of a bucket and money of budgets.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Demand">Requests and tokens.</param>
/// <param name="Usd">The call's highest price in US dollars; null when a price is unknown.</param>
/// <param name="Budgets">The budgets it draws on.</param>
public sealed record Reservation(string Bucket, ResourceDemand Demand, decimal? Usd, IReadOnlyList<string> Budgets);
