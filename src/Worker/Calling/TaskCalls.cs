using LlmQueue.Catalogue;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Streaming;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Claiming;
using LlmQueue.Worker.Calling.Guards;
using LlmQueue.Worker.Calling.Wire;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Passes;

namespace LlmQueue.Worker.Calling;

/// <summary>Makes the call of one task, or of one of its passes.</summary>
public sealed class TaskCalls(
    GuardedCalls guarded, ProviderCalls providers, CallTimeouts timeouts, TokenPublisher speaker, TimeProvider clock)
{
    public async Task<CallFinished> Make(ClaimedCall claim)
    {
        var request = Request(claim);
        var began = clock.GetTimestamp();
        var (outcome, opens) = await guarded.Call(claim, timeouts.For(claim), (key, token) => providers.Call(key, request, token));
        var took = clock.GetElapsedTime(began);
        var promptHash = ContentHash.Of(claim.Prompt);
        return new CallFinished(claim.TaskId, claim.Attempt, outcome, claim.KeyAlias, took, promptHash, opens, claim.AdmittedAt);
    }

    private ProviderRequest Request(ClaimedCall claim)
    {
        var (messages, parameters, stream) = StoredPrompt.Read(claim.Prompt);
        var model = ModelId.Parse(claim.Model).Name;
        if (claim.Pass == TaskPasses.Extraction)
            return new ProviderRequest(model, ExtractionPrompt.Messages(messages), claim.MaxOutputTokens, Json: true);
        return new ProviderRequest(model, messages, claim.MaxOutputTokens, Json: claim.State == TaskStates.Critiquing)
        {
            Parameters = parameters,
            Say = stream ? (offset, text) => speaker.Say(new TokenChunk(claim.TaskId, claim.Attempt, offset, text)) : null,
        };
    }
}
