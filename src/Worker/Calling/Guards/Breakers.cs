using System.Collections.Concurrent;
using LlmQueue.Worker.Outcomes;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace LlmQueue.Worker.Calling.Guards;

/// <summary>
/// The timeout of a call and the local counting of faults (Polly). The count only says when a breaker is to open: the breaker itself is in
/// the bucket's row, where all workers see it (BreakerRule). So Polly's own breaker is closed again at once, or each worker would probe by
/// its own.
/// </summary>
public sealed class Breakers(TimeProvider clock)
{
    private static readonly ResiliencePropertyKey<TimeSpan> TimeOut = new("llmqueue.timeout");
    private static readonly ResiliencePropertyKey<bool> Opened = new("llmqueue.opened");
    private readonly ConcurrentDictionary<string, Guarded> _byBucket = new(StringComparer.Ordinal);

    /// <returns>What came of the call, and whether with it so many calls have failed that the breaker opens.</returns>
    public async ValueTask<(CallOutcome Outcome, bool Opens)> Call(
        string bucket, TimeSpan timeOut, Func<CancellationToken, ValueTask<CallOutcome>> call, CancellationToken cancellationToken)
    {
        var guarded = _byBucket.GetOrAdd(bucket, _ => Build());
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        context.Properties.Set(TimeOut, timeOut);
        try
        {
            var outcome = await guarded.Pipeline.ExecuteAsync(static (context, call) => call(context.CancellationToken), context, call);
            return (outcome, await HasOpened(guarded, context));
        }
        catch (TimeoutRejectedException e)
        {
            return (new CallOutcome.TimedOut(e.Timeout), await HasOpened(guarded, context));
        }
        catch (BrokenCircuitException)
        {
            return (new CallOutcome.HeldBack("its circuit breaker opened in the same moment"), false);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private static async ValueTask<bool> HasOpened(Guarded guarded, ResilienceContext context)
    {
        if (!context.Properties.GetValue(Opened, false))
            return false;
        await guarded.Control.CloseAsync(CancellationToken.None);
        return true;
    }

    private Guarded Build()
    {
        var guarded = new Guarded();
        guarded.Pipeline = new ResiliencePipelineBuilder<CallOutcome> { TimeProvider = clock }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<CallOutcome>
            {
                // Half of the calls of ten seconds, and at least eight of them: a single lost connection opens nothing. A row of faults is
                // counted in the bucket itself.
                FailureRatio = 0.5,
                MinimumThroughput = 8,
                SamplingDuration = TimeSpan.FromSeconds(10),
                ManualControl = guarded.Control,
                ShouldHandle = static arguments =>
                    ValueTask.FromResult(arguments.Outcome is { Exception: TimeoutRejectedException } or { Result.IsProvidersFault: true }),
                OnOpened = static arguments =>
                {
                    arguments.Context.Properties.Set(Opened, true);
                    return ValueTask.CompletedTask;
                },
            })
            .AddTimeout(new TimeoutStrategyOptions
            {
                TimeoutGenerator = static arguments =>
                    ValueTask.FromResult(arguments.Context.Properties.GetValue(TimeOut, TimeSpan.FromMinutes(1))),
            })
            .Build();
        return guarded;
    }

    private sealed class Guarded
    {
        public ResiliencePipeline<CallOutcome> Pipeline { get; set; } = ResiliencePipeline<CallOutcome>.Empty;
        public CircuitBreakerManualControl Control { get; } = new();
    }
}
