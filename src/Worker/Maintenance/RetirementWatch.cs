using System.Diagnostics.Metrics;
using LlmQueue.Catalogue;
using LlmQueue.Hosting.Telemetry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Maintenance;

/// <summary>Warns of models that retire: at the start, every day, and as a metric whenever somebody asks.</summary>
public sealed class RetirementWatch : BackgroundService
{
    private readonly CurrentCatalogue _catalogue;
    private readonly TimeProvider _clock;
    private readonly ILogger<RetirementWatch> _logger;
    private readonly Meter _meter = new(QueueMetrics.MeterName);

    public RetirementWatch(CurrentCatalogue catalogue, TimeProvider clock, ILogger<RetirementWatch> logger)
    {
        (_catalogue, _clock, _logger) = (catalogue, clock, logger);
        _meter.CreateObservableGauge("llmqueue.model.retires_in",
            () => Warnings().Select(r => new Measurement<int>(r.Days, new("llm.model", r.Model), new("successor", r.Successor ?? "none"))),
            "d", "Days until a model in use retires; 0 or less: it has, and nobody takes its place");
    }

    public override void Dispose()
    {
        _meter.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var daily = new PeriodicTimer(TimeSpan.FromDays(1), _clock);
        try
        {
            do
            {
                foreach (var retirement in Warnings())
                    _logger.LogWarning("{Retirement}", retirement.Sentence);
            }
            while (await daily.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            _logger.LogDebug("Retirements are watched no more.");
        }
    }

    private IEnumerable<Retirement> Warnings() =>
        RetirementRule.Of(_catalogue.Now, DateOnly.FromDateTime(_clock.GetUtcNow().UtcDateTime)).Where(r => r.IsWarning);
}
