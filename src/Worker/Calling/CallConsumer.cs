using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Streaming;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Maintenance;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Routing;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Answers CallProvider: claims the attempt, makes the call, and raises the outcome to the machine itself. No message lies between the answer and its commit:
/// what the provider has been paid for is durable as soon as the database can make it so. A claimed call belongs to this worker, not to the message that
/// rang for it: when the broker goes away it is finished all the same, and the message that then comes again finds it taken.
/// </summary>
public sealed class CallConsumer(Claims claims, ProviderCalls calls, Breakers breakers, UsableProviders providers, StateMachineInvoker lifecycle, CallSlots open, TokenPublisher speaker, DrainTimeout patience,
    LimitViews views, BucketDirectory directory, CurrentCatalogue catalogue, ProbeTimers probes, WorkerOptions options, TimeProvider clock, ILogger<CallConsumer> logger) : IConsumer<CallProvider>
{
    public async Task Consume(ConsumeContext<CallProvider> context)
    {
        var (taskId, attempt) = (context.Message.TaskId, context.Message.Attempt);
        var provider = context.Message.Provider ?? "";
        await open.Take(provider, patience.IsOver);
        try
        {
            if (await claims.Take(taskId, attempt) is { } claim)
                await Make(claim, finished => lifecycle.Raise(context, finished));
            else
                logger.LogDebug("Attempt {Attempt} of task {TaskId} is old, taken or ended; nothing is called.", attempt, taskId);
        }
        finally
        {
            open.Leave(provider);
        }
    }

    /// <summary>Makes a claimed call and raises what came of it.</summary>
    internal async Task Make(ClaimedCall claim, Func<CallFinished, Task> raise)
    {
        var finished = claim.State == TaskStates.Classifying ? await Classify(claim) : [await Answer(claim)];
        await Task.WhenAll(finished.Select(raise));
        // After the commit, so that the timer is set for what the row says.
        if (finished[0].Outcome.IsProvidersFault && views.Bucket(claim.Bucket)?.At(clock.GetUtcNow().UtcDateTime) is { BrokenSince: not null, ProbeAt: { } probeAt })
            await probes.Set(claim.Bucket, probeAt);
    }

    private async Task<CallFinished> Answer(ClaimedCall claim)
    {
        var (messages, parameters, stream) = StoredPrompt.Read(claim.Prompt);
        var model = ModelId.Parse(claim.Model).Name;
        var request = claim.Pass == TaskPasses.Extraction
            ? new ProviderRequest(model, ExtractionPrompt.Messages(messages), claim.MaxOutputTokens, Json: true)
            : new ProviderRequest(model, messages, claim.MaxOutputTokens, Json: claim.State == TaskStates.Critiquing)
            {
                Parameters = parameters,
                Say = stream ? (offset, text) => speaker.Say(new TokenChunk(claim.TaskId, claim.Attempt, offset, text)) : null,
            };
        var began = clock.GetTimestamp();
        var (outcome, opens) = await Call(claim, Patience(claim), (key, token) => calls.Call(key, request, token));
        return new CallFinished(claim.TaskId, claim.Attempt, outcome, claim.KeyAlias, clock.GetElapsedTime(began), ContentHash.Of(claim.Prompt), opens, claim.AdmittedAt);
    }

    /// <summary>One call for every question that shares its reservation; each task is told of its own part.</summary>
    private async Task<IReadOnlyList<CallFinished>> Classify(ClaimedCall first)
    {
        IReadOnlyList<ClaimedCall> together = [first, .. await claims.TakeRest(first)];
        var model = ModelId.Parse(first.Model);
        var request = new ProviderRequest(model.Name, ClassifierPrompt.Messages([.. together.Select(one => StoredPrompt.Read(one.Prompt).Messages)]),
            ClassifierPrompt.OutputTokens(leads: true) + ((together.Count - 1) * ClassifierPrompt.OutputTokens(leads: false)), Json: true,
            catalogue.Now.Find(model)?.JsonSchema == true ? ClassifierPrompt.Schema : null);
        var began = clock.GetTimestamp();
        var (outcome, opens) = await Call(first, options.CallTimeout, (key, token) => AskBriefly(key, request, token));
        var took = clock.GetElapsedTime(began);
        var parts = BatchedAnswerRule.Split(outcome, [.. together.Select(one => one.Prompt.Length)]);
        return [.. together.Select((one, i) => new CallFinished(one.TaskId, one.Attempt, parts[i], first.KeyAlias, took, ContentHash.Of(one.Prompt), opens && i == 0, one.AdmittedAt) { Requests = i == 0 ? 1 : 0 })];
    }

    /// <summary>Nobody waits long to be classified: the default route is better than a late answer. The model's breaker does not count it, as it may well answer longer questions in their own time.</summary>
    private async ValueTask<CallOutcome> AskBriefly(ProviderKey key, ProviderRequest request, CancellationToken token)
    {
        using var brief = new CancellationTokenSource(options.ClassifierTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(brief.Token, token);
        try
        {
            return await calls.Call(key, request, either.Token);
        }
        catch (OperationCanceledException) when (brief.IsCancellationRequested && !token.IsCancellationRequested)
        {
            return new CallOutcome.TimedOut(options.ClassifierTimeout) { WasHurried = true };
        }
    }

    private async Task<(CallOutcome Outcome, bool Opens)> Call(ClaimedCall claim, TimeSpan timeOut, Func<ProviderKey, CancellationToken, ValueTask<CallOutcome>> ask)
    {
        var stopping = patience.IsOver;
        if (providers.Key(claim.KeyAlias) is not { } key)
            return (new CallOutcome.Unreachable($"this worker has no key '{claim.KeyAlias}'; give every worker the same keys"), false);
        // Admitted before the breaker opened: the provider is not asked, and the task seeks room elsewhere at once. What was admitted since is the probe.
        if (views.Bucket(claim.Bucket)?.At(clock.GetUtcNow().UtcDateTime) is { BrokenSince: not null } broken && !BreakerRule.IsProbe(broken, claim.AdmittedAt))
            return (new CallOutcome.HeldBack($"its circuit breaker is open: {broken.BrokenReason}"), false);
        try
        {
            return await breakers.Call(claim.Bucket, timeOut, token => ask(key, token), stopping);
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

    private TimeSpan Patience(ClaimedCall claim)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var othersLeft = CallTimeoutRule.Untried(claim.Chain?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [], claim.Model, claim.Faults).Any(model => CanBeAsked(ModelId.Parse(model), now));
        return CallTimeoutRule.For(directory.Find(claim.Bucket)?.Model, othersLeft, options);
    }

    private bool CanBeAsked(ModelId model, DateTime now) =>
        directory.Of(model).Any(bucket => views.Bucket(bucket.Id)?.At(now) is { DisabledReason: null } row && BreakerRule.StateOf(row, now) != BreakerState.Open && !(row.ClosedUntil > now + options.FirstChoiceTimeout));
}
