using LlmQueue.Contracts;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Limits;
using LlmQueue.Store.Rows;
using LlmQueue.Store.Streaming;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Selection;
using LlmQueue.Worker.Upkeep;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Answers CallProvider: claims the attempt, makes the call, and raises the outcome to the machine itself. No message lies between the answer and its commit:
/// what the provider has been paid for is durable as soon as the database can make it so. A claimed call belongs to this worker, not to the message that
/// rang for it: when the broker goes away it is finished all the same, and the message that then comes again finds it taken.
/// </summary>
public sealed class CallConsumer(Claims claims, ProviderCalls calls, Breakers breakers, UsableProviders providers, LifecycleDoor lifecycle, OpenCalls open, TokenSpeaker speaker, StopPatience patience,
    LimitViews views, BucketDirectory directory, ProbeTimers probes, WorkerOptions options, TimeProvider clock, ILogger<CallConsumer> logger) : IConsumer<CallProvider>
{
    public async Task Consume(ConsumeContext<CallProvider> context)
    {
        var (taskId, attempt) = (context.Message.TaskId, context.Message.Attempt);
        var provider = context.Message.Provider ?? "";
        await open.Take(provider, patience.IsOver);
        try
        {
            if (await claims.Take(taskId, attempt) is { } claim)
                await Answer(claim, taskId, attempt, finished => lifecycle.Raise(context, finished));
            else
                logger.LogDebug("Attempt {Attempt} of task {TaskId} is old, taken or ended; nothing is called.", attempt, taskId);
        }
        finally
        {
            open.Leave(provider);
        }
    }

    /// <summary>Makes a claimed call and raises what came of it.</summary>
    internal async Task Answer(ClaimedCall claim, Guid taskId, int attempt, Func<CallFinished, Task> raise)
    {
        var began = clock.GetTimestamp();
        var (outcome, opens) = await Call(claim, taskId, attempt, patience.IsOver);
        await raise(new CallFinished(taskId, attempt, outcome, claim.KeyAlias, clock.GetElapsedTime(began), ContentHash.Of(claim.Prompt), opens, claim.AdmittedAt));
        // After the commit, so that the timer is set for what the row says.
        if (outcome.IsProvidersFault && views.Bucket(claim.Bucket)?.At(clock.GetUtcNow().UtcDateTime) is { BrokenSince: not null, ProbeAt: { } probeAt })
            await probes.Set(claim.Bucket, probeAt);
    }

    private async Task<(CallOutcome Outcome, bool Opens)> Call(ClaimedCall claim, Guid taskId, int attempt, CancellationToken stopping)
    {
        if (providers.Key(claim.KeyAlias) is not { } key)
            return (new CallOutcome.Unreachable($"this worker has no key '{claim.KeyAlias}'; give every worker the same keys"), false);
        var now = clock.GetUtcNow().UtcDateTime;
        // Admitted before the breaker opened: the provider is not asked, and the task seeks room elsewhere at once. What was admitted since is the probe.
        if (views.Bucket(claim.Bucket)?.At(now) is { BrokenSince: not null } broken && !BreakerRule.IsProbe(broken, claim.AdmittedAt))
            return (new CallOutcome.HeldBack($"its circuit breaker is open: {broken.BrokenReason}"), false);
        try
        {
            var request = Request(claim, taskId, attempt);
            return await breakers.Call(claim.Bucket, Patience(claim, now), token => calls.Call(key, request, token), stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The worker stops and its patience is over. The answer, if one comes, is lost; the row says so at once instead of after the lease.
            return (new CallOutcome.Abandoned("the worker stopped before the answer came"), false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            logger.LogError(e, "A call through {Key} met a fault of our own.", key.Alias);
            return (new CallOutcome.Abandoned($"a fault of the queue itself: {e.GetType().Name}"), false);
        }
    }

    private TimeSpan Patience(ClaimedCall claim, DateTime now)
    {
        // Nobody waits long to be classified: without an answer there is the default route.
        var othersLeft = claim.State == TaskStates.Classifying
            || PatienceRule.Untried(claim.Chain?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [], claim.Model, claim.Faults).Any(model => CanBeAsked(ModelId.Parse(model), now));
        return PatienceRule.For(directory.Find(claim.Bucket)?.Model, othersLeft, options);
    }

    private bool CanBeAsked(ModelId model, DateTime now) =>
        directory.Of(model).Any(bucket => views.Bucket(bucket.Id)?.At(now) is { DisabledReason: null } row && BreakerRule.StateOf(row, now) != BreakerState.Open && !(row.ClosedUntil > now + options.FirstChoiceTimeout));

    private ProviderRequest Request(ClaimedCall claim, Guid taskId, int attempt)
    {
        var model = ModelId.Parse(claim.Model).Name;
        var (messages, parameters, stream) = StoredPrompt.Read(claim.Prompt);
        return claim.State == TaskStates.Classifying
            ? new ProviderRequest(model, ClassifierPrompt.Messages(messages), ClassifierPrompt.MaxOutputTokens, Json: true)
            : new ProviderRequest(model, messages, claim.MaxOutputTokens, Json: claim.State == TaskStates.Critiquing) { Parameters = parameters, Say = stream ? (offset, text) => speaker.Say(new TokenPiece(taskId, attempt, offset, text)) : null };
    }
}
