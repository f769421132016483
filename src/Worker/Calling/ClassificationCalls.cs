using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Intake;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Calling.Guards;
using LlmQueue.Worker.Calling.Wire;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Calling;

/// <summary>
/// Makes one call for every classification question of a batched request and gives each task its own part of the outcome.
/// </summary>
public sealed class ClassificationCalls(
    Claims claims, GuardedCalls guarded, ProviderCalls providers, CurrentCatalogue catalogue, WorkerOptions options, TimeProvider clock)
{
    public async Task<IReadOnlyList<CallFinished>> Make(ClaimedCall first)
    {
        IReadOnlyList<ClaimedCall> together = [first, .. await claims.TakeRest(first)];
        var request = Request(first, together);
        var began = clock.GetTimestamp();
        var (outcome, opens) = await guarded.Call(first, options.CallTimeout, (key, token) => AskBriefly(key, request, token));
        var took = clock.GetElapsedTime(began);
        var shares = BatchedAnswerRule.Split(outcome, [.. together.Select(one => one.Prompt.Length)]);
        return [.. together.Select(Finished)];

        CallFinished Finished(ClaimedCall one, int i) =>
            new(one.TaskId, one.Attempt, shares[i], first.KeyAlias, took, ContentHash.Of(one.Prompt), opens && i == 0, one.AdmittedAt)
            {
                Requests = i == 0 ? 1 : 0,
            };
    }

    private ProviderRequest Request(ClaimedCall first, IReadOnlyList<ClaimedCall> together)
    {
        var model = ModelId.Parse(first.Model);
        var messages = ClassifierPrompt.Messages([.. together.Select(one => StoredPrompt.Read(one.Prompt).Messages)]);
        var outputTokens = ClassifierPrompt.OutputTokens(leads: true)
            + ((together.Count - 1) * ClassifierPrompt.OutputTokens(leads: false));
        var schema = catalogue.Now.Find(model)?.JsonSchema == true ? ClassifierPrompt.Schema : null;
        return new ProviderRequest(model.Name, messages, outputTokens, Json: true, schema);
    }

    /// <summary>
    /// Nobody waits long to be classified: the default route is better than a late answer. The model's breaker does not count the time-out,
    /// as the model may well answer longer questions in their own time.
    /// </summary>
    private async ValueTask<CallOutcome> AskBriefly(ProviderKey key, ProviderRequest request, CancellationToken cancellationToken)
    {
        using var brief = new CancellationTokenSource(options.ClassifierTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(brief.Token, cancellationToken);
        try
        {
            return await providers.Call(key, request, either.Token);
        }
        catch (OperationCanceledException) when (brief.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new CallOutcome.TimedOut(options.ClassifierTimeout) { WasHurried = true };
        }
    }
}
