using LlmQueue.Contracts;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Selection;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Answers CallProvider: claims the attempt, makes the call, and raises the outcome to the machine itself. No message lies between the answer and its commit:
/// what the provider has been paid for is durable as soon as the database can make it so. A claimed call belongs to this worker, not to the message that
/// rang for it: when the broker goes away it is finished all the same, and the message that then comes again finds it taken.
/// </summary>
public sealed class CallConsumer(Claims claims, ProviderCalls calls, Breakers breakers, UsableProviders providers, LifecycleDoor lifecycle, CurrentCatalogue catalogue, WorkerOptions options, StopPatience patience, TimeProvider clock, ILogger<CallConsumer> logger) : IConsumer<CallProvider>
{
    public async Task Consume(ConsumeContext<CallProvider> context)
    {
        var (taskId, attempt) = (context.Message.TaskId, context.Message.Attempt);
        if (await claims.Take(taskId, attempt) is not { } claim)
        {
            logger.LogDebug("Attempt {Attempt} of task {TaskId} is old, taken or ended; nothing is called.", attempt, taskId);
            return;
        }

        if (claim.State == TaskStates.Classifying)
        {
            await Classify(context, claim);
            return;
        }

        var began = clock.GetTimestamp();
        var request = new ProviderRequest(ModelId.Parse(claim.Model).Name, TaskIntake.ReadPrompt(claim.Prompt), claim.MaxOutputTokens, Json: false);
        var outcome = await Call(claim, token => Ask(claim, request, token));
        await lifecycle.Raise(context, new CallFinished(taskId, attempt, outcome, claim.KeyAlias, clock.GetElapsedTime(began), ContentHash.Of(claim.Prompt)));
    }

    /// <summary>One call for every question of the pack; each task hears of its own part.</summary>
    private async Task Classify(ConsumeContext context, ClaimedCall first)
    {
        IReadOnlyList<ClaimedCall> pack = [first, .. await claims.TakeRest(first)];
        var model = ModelId.Parse(first.Model);
        var request = new ProviderRequest(model.Name, ClassifierPrompt.Messages([.. pack.Select(one => TaskIntake.ReadPrompt(one.Prompt))]),
            ClassifierPrompt.OutputTokens(leads: true) + ((pack.Count - 1) * ClassifierPrompt.OutputTokens(leads: false)), Json: true,
            catalogue.Now.Find(model)?.JsonSchema == true ? ClassifierPrompt.Schema : null);
        var began = clock.GetTimestamp();
        var outcome = await Call(first, token => AskBriefly(first, request, token));
        var took = clock.GetElapsedTime(began);
        var parts = PackRule.Share(outcome, [.. pack.Select(one => one.Prompt.Length)]);
        await Task.WhenAll(pack.Select((one, i) => lifecycle.Raise(context, new CallFinished(one.TaskId, one.Attempt, parts[i], first.KeyAlias, took, ContentHash.Of(one.Prompt)) { Requests = i == 0 ? 1 : 0 })));
    }

    /// <summary>Nobody waits long to be classified: the default route is better than a late answer. The model's breaker does not count it, as it may well answer longer questions in their own time.</summary>
    private async ValueTask<CallOutcome> AskBriefly(ClaimedCall claim, ProviderRequest request, CancellationToken token)
    {
        using var brief = new CancellationTokenSource(options.ClassifierTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(brief.Token, token);
        try
        {
            return await Ask(claim, request, either.Token);
        }
        catch (OperationCanceledException) when (brief.IsCancellationRequested && !token.IsCancellationRequested)
        {
            return new CallOutcome.TimedOut(options.ClassifierTimeout);
        }
    }

    private ValueTask<CallOutcome> Ask(ClaimedCall claim, ProviderRequest request, CancellationToken token) => calls.Call(providers.Key(claim.KeyAlias)!, request, token);

    private async Task<CallOutcome> Call(ClaimedCall claim, Func<CancellationToken, ValueTask<CallOutcome>> ask)
    {
        var stopping = patience.IsOver;
        if (providers.Key(claim.KeyAlias) is not { } key)
            return new CallOutcome.Unreachable($"this worker has no key '{claim.KeyAlias}'; give every worker the same keys");
        try
        {
            return await breakers.Call(claim.Bucket, ask, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The worker stops and its patience is over. The answer, if one comes, is lost; the row says so at once instead of after the lease.
            return new CallOutcome.Abandoned("the worker stopped before the answer came");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            logger.LogError(e, "A call through {Key} met a fault of our own.", key.Alias);
            return new CallOutcome.Unreachable($"a fault of the queue itself: {e.GetType().Name}");
        }
    }
}
