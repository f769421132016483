using LlmQueue.Api.Wire;
using LlmQueue.Storage;
using LlmQueue.Storage.Loops;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Api.Health;

/// <summary>Checks readiness: the database answers, the bus is connected.</summary>
public sealed class Readiness(IDbContextFactory<QueueDb> contexts, IServiceProvider services, Preparation preparation, TimeProvider clock)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    /// <summary>A sentence for each problem; empty when the queue is ready.</summary>
    public async Task<IReadOnlyList<string>> WhatIsMissing(CancellationToken cancellationToken)
    {
        string?[] missing = [await WhyNoDatabase(cancellationToken), WhyNoBus()];
        return [.. missing.OfType<string>()];
    }

    private async Task<string?> WhyNoDatabase(CancellationToken cancellationToken)
    {
        if (!preparation.IsDone)
            return "The database (DATABASE_URL) has not answered since the start";
        using var limit = new CancellationTokenSource(Longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await using var db = await contexts.CreateDbContextAsync(either.Token);
            await db.Database.ExecuteSqlAsync($"select 1", either.Token);
            return null;
        }
        catch (Exception e)
            when (!cancellationToken.IsCancellationRequested && (e is OperationCanceledException || DatabaseFaults.IsPassing(e)))
        {
            return "The database (DATABASE_URL) does not answer";
        }
    }

    private string? WhyNoBus() =>
        services.GetService<IBusControl>()?.CheckHealth() is { Status: BusHealthStatus.Healthy }
            ? null
            : "The broker (RABBITMQ_URL) is not connected";
}
