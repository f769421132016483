using LlmQueue.Limits;

namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>
/// A reservation that several units of work of one commit may share, because one call serves them all: one of them leads and reserves the
/// whole call, the others join as members and reserve what they add to it. The ledger decides who does what, under the lock of the bucket.
/// </summary>
/// <param name="Group">Those of the same group and the same bucket may share; the other values say the same for all of a group.</param>
/// <param name="MaxSize">How many may share one reservation, its lead included.</param>
/// <param name="AsLead">What it costs with a call of its own.</param>
/// <param name="AsMember">What it adds to the lead's call.</param>
public sealed record SharedReservation(string Group, int MaxSize, ReservationCost AsLead, ReservationCost AsMember);

/// <summary>The cost of a reservation.</summary>
/// <param name="Demand">Requests and tokens.</param>
/// <param name="Usd">The highest price in US dollars; null when a price is unknown.</param>
public sealed record ReservationCost(ResourceDemand Demand, decimal? Usd);
