using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace LlmQueue.Storage.Batches;

/// <summary>How many of a batch's tasks there are, and how many have ended in which way.</summary>
public sealed record BatchCounts(int Total, int Completed, int Failed, int Expired, long InputTokens, long OutputTokens);
