using System.Collections.Concurrent;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace LlmQueue.Worker.Calling;

/// <summary>A time-out and a circuit breaker for each bucket (Polly). Admission asks whether a breaker is open, so that no task is sent into it.</summary>
public sealed class Breakers(WorkerOptions options, TimeProvider clock)
{
    private static readonly TimeSpan BreakFor = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<string, Guarded> _byBucket = new(StringComparer.Ordinal);

    /// <summary>Until when nothing should be sent to the bucket; null while its breaker lets calls through.</summary>
    public DateTime? OpenUntil(string bucket, DateTime now) =>
        _byBucket.TryGetValue(bucket, out var guarded) && guarded.OpenUntil is { } until && until > now ? until : null;

    public ValueTask<CallOutcome> Call(string bucket, Func<CancellationToken, ValueTask<CallOutcome>> call, CancellationToken cancellationToken)
    {
        var guarded = _byBucket.GetOrAdd(bucket, _ => Build());
        return Run(guarded, call, cancellationToken);
    }

    private async ValueTask<CallOutcome> Run(Guarded guarded, Func<CancellationToken, ValueTask<CallOutcome>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await guarded.Pipeline.ExecuteAsync(call, cancellationToken);
        }
        catch (TimeoutRejectedException e)
        {
            return new CallOutcome.TimedOut(e.Timeout);
        }
        catch (BrokenCircuitException)
        {
            return new CallOutcome.Unreachable("its circuit breaker is open after repeated faults");
        }
    }

    private Guarded Build()
    {
        var guarded = new Guarded();
        guarded.Pipeline = new ResiliencePipelineBuilder<CallOutcome> { TimeProvider = clock }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<CallOutcome>
            {
                // Half of the calls of ten seconds, and at least eight of them: a single lost connection opens nothing.
                FailureRatio = 0.5,
                MinimumThroughput = 8,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = BreakFor,
                ShouldHandle = static arguments => ValueTask.FromResult(arguments.Outcome is { Exception: TimeoutRejectedException } or { Result: CallOutcome.Unreachable }),
                OnOpened = arguments =>
                {
                    guarded.OpenUntil = clock.GetUtcNow().UtcDateTime + arguments.BreakDuration;
                    return ValueTask.CompletedTask;
                },
                OnClosed = _ =>
                {
                    guarded.OpenUntil = null;
                    return ValueTask.CompletedTask;
                },
            })
            .AddTimeout(options.CallTimeout)
            .Build();
        return guarded;
    }

    private sealed class Guarded
    {
        public ResiliencePipeline<CallOutcome> Pipeline { get; set; } = ResiliencePipeline<CallOutcome>.Empty;
        public DateTime? OpenUntil { get; set; }
    }
}
