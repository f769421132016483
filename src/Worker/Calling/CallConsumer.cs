using LlmQueue.Contracts;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Intake;
using LlmQueue.Store.Rows;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Selection;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Answers CallProvider: claims the attempt, makes the call, and raises the outcome to the machine itself. No message lies between the answer and its commit:
/// what the provider has been paid for is durable as soon as the database can make it so. A claimed call belongs to this worker, not to the message that
/// rang for it: when the broker goes away it is finished all the same, and the message that then comes again finds it taken.
/// </summary>
public sealed class CallConsumer(Claims claims, ProviderCalls calls, Breakers breakers, UsableProviders providers, LifecycleDoor lifecycle, StopPatience patience, TimeProvider clock, ILogger<CallConsumer> logger) : IConsumer<CallProvider>
{
    public async Task Consume(ConsumeContext<CallProvider> context)
    {
        var (taskId, attempt) = (context.Message.TaskId, context.Message.Attempt);
        if (await claims.Take(taskId, attempt) is not { } claim)
        {
            logger.LogDebug("Attempt {Attempt} of task {TaskId} is old, taken or ended; nothing is called.", attempt, taskId);
            return;
        }

        var began = clock.GetTimestamp();
        var outcome = await Call(claim, patience.IsOver);
        await lifecycle.Raise(context, new CallFinished(taskId, attempt, outcome, claim.KeyAlias, clock.GetElapsedTime(began), ContentHash.Of(claim.Prompt)));
    }

    private async Task<CallOutcome> Call(ClaimedCall claim, CancellationToken stopping)
    {
        if (providers.Key(claim.KeyAlias) is not { } key)
            return new CallOutcome.Unreachable($"this worker has no key '{claim.KeyAlias}'; give every worker the same keys");
        try
        {
            var request = Request(claim);
            return await breakers.Call(claim.Bucket, token => calls.Call(key, request, token), stopping);
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

    private static ProviderRequest Request(ClaimedCall claim)
    {
        var model = ModelId.Parse(claim.Model).Name;
        var messages = TaskIntake.ReadPrompt(claim.Prompt);
        return claim.State switch
        {
            TaskStates.Classifying => new ProviderRequest(model, ClassifierPrompt.Messages(messages), ClassifierPrompt.MaxOutputTokens, Json: true),
            TaskStates.Extracting => new ProviderRequest(model, ExtractionPrompt.Messages(messages), claim.MaxOutputTokens, Json: true),
            _ => new ProviderRequest(model, messages, claim.MaxOutputTokens, Json: claim.State == TaskStates.Critiquing),
        };
    }
}
