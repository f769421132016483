using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Estimation;

/// <summary>Estimates what a call will take and cost before it is made; what the answers teach is shared by all workers.</summary>
public sealed class CallEstimates(Calibrations calibrations, OutputUses outputs, TimeProvider clock, ILogger<CallEstimates> logger)
    : BackgroundService
{
    private static readonly TimeSpan ShareEvery = TimeSpan.FromSeconds(10);

    /// <summary>What is reserved in the bucket.</summary>
    /// <param name="model">The model that would be called.</param>
    /// <param name="kind">What the task is; such tasks' answers are of a length.</param>
    /// <param name="inputUnits">The prompt's size in the estimate's units.</param>
    /// <param name="maxOutputTokens">The longest answer.</param>
    public ResourceDemand Demand(ModelEntry model, string? kind, double inputUnits, int maxOutputTokens) =>
        new(1, calibrations.Estimate(model.Id, inputUnits) + outputs.Estimate(model, kind, maxOutputTokens));

    /// <summary>The most it can cost in US dollars; null when a price is unknown.</summary>
    public decimal? MostUsd(ModelEntry model, double inputUnits, int maxOutputTokens) =>
        model.Price.CostUsd(calibrations.MostTokens(model.Id, inputUnits), maxOutputTokens);

    public void Learn(string model, string? kind, double inputUnits, long inputTokens, long outputTokens)
    {
        calibrations.Learn(model, inputUnits, inputTokens);
        outputs.Learn(model, kind, outputTokens);
    }

    public async Task Load(CancellationToken cancellationToken)
    {
        await calibrations.Sums.Load(cancellationToken);
        await outputs.Sums.Load(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ShareEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await Share(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Share(CancellationToken.None);
        }
    }

    private async Task Share(CancellationToken cancellationToken)
    {
        try
        {
            await calibrations.Sums.Share(cancellationToken);
            await outputs.Sums.Share(cancellationToken);
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException)
        {
            logger.LogDebug("What was learned of token counts is shared later: {Reason}", e.Message);
        }
    }
}
