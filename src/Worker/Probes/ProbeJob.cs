using LlmQueue.Storage.Commits;
using LlmQueue.Worker.Admission;
using Microsoft.Extensions.Logging;
using Quartz;

namespace LlmQueue.Worker.Probes;

/// <summary>
/// Asks a provider whose breaker is open for its list of models, which is free. No word: no call is risked either, until the next look. An
/// answer: one call is let through now.
/// </summary>
[DisallowConcurrentExecution]
public sealed class ProbeJob(
    BucketDirectory directory, ModelListProbe probe, ProbeFindings findings, ProbeTimers timers, CapacitySignal capacitySignal,
    ILogger<ProbeJob> logger) : IJob
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        var id = context.MergedJobDataMap.GetString(ProbeTimers.Bucket);
        if (id is null || directory.Find(id) is not { } bucket)
            return;
        var silence = await probe.WhySilent(bucket.Keys[0], Patience, cancellationToken);
        var next = await findings.Write(id, silence, cancellationToken);
        logger.LogInformation("{Bucket} was looked at: {Found}.", id, silence ?? "it answers, and one call is let through");
        if (next is { } at)
            await timers.Set(id, at);
        else
            capacitySignal.Send();
    }
}
