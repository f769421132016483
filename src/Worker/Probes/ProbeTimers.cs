using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Quartz;

namespace LlmQueue.Worker.Probes;

/// <summary>
/// Sets a durable timer for the next free probe of a provider whose breaker is open. The row alone decides when a call may be risked
/// (BreakerRule); the timer lets a free question go before it, so that a provider that is wholly away costs no task anything. Where a timer
/// is lost, or a worker has no Quartz, the next probe is a task's call.
/// </summary>
public sealed class ProbeTimers(IServiceProvider services, TimeProvider clock, ILogger<ProbeTimers> logger)
{
    internal const string Bucket = "bucket";
    internal static readonly JobKey Job = new("provider-probe");

    /// <summary>The look is so much before the row would let a call through.</summary>
    internal static readonly TimeSpan Ahead = TimeSpan.FromSeconds(3);

    /// <summary>One timer a bucket: setting it again moves it.</summary>
    public async Task Set(string bucket, DateTime probeAt)
    {
        if (services.GetService<ISchedulerFactory>() is not { } factory)
            return;
        var at = new DateTimeOffset(probeAt, TimeSpan.Zero) - Ahead;
        if (at <= clock.GetUtcNow())
            return;
        try
        {
            var scheduler = await factory.GetScheduler();
            var key = new TriggerKey(bucket, Job.Name);
            var trigger = TriggerBuilder.Create().WithIdentity(key).ForJob(Job).UsingJobData(Bucket, bucket).StartAt(at).Build();
            if (await scheduler.RescheduleJob(key, trigger) is null)
                await scheduler.ScheduleJob(trigger);
        }
        catch (ObjectAlreadyExistsException)
        {
            logger.LogDebug("Another worker has set the timer for {Bucket}.", bucket);
        }
        catch (SchedulerException e)
        {
            // The row's own time stands: a task's call is the probe then.
            logger.LogInformation("The timer for the next look at {Bucket} could not be set ({Reason}).", bucket, e.Message);
        }
    }
}
