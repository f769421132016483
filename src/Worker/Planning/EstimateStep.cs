using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Planning.Transitions;

namespace LlmQueue.Worker.Planning;

/// <summary>
/// Estimates a prompt without a call: its size, whether it has images, and what the rules say it is. Runs once for every task.
/// </summary>
public sealed class EstimateStep(CurrentCatalogue catalogue, PayloadReader payloads) : IPlanningStep
{
    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        var task = transition.Task;
        if (task.IsEstimated)
            return null;

        var prompt = StoredPrompt.Read(await payloads.ReadPrompt(transition));
        task.PromptUnits = TokenEstimateRule.UnitsWithFrame(prompt.Weighed());
        if (prompt.Messages.Any(m => m.Images is { Count: > 0 }))
            AccountForImages(transition, prompt.Messages);
        task.PromptTokens = TokenEstimateRule.Estimate(task.PromptUnits, TokenCalibration.None);
        task.Turns = ClassificationRule.Turns(prompt.Messages);
        if (ClassificationRule.Decide(task.Kind, task.Complexity, prompt.Messages) is { } classified)
            transition.Classify(classified);
        return null;
    }

    /// <summary>Images go to the model that was asked for, when it reads them; else one that does makes text of them first.</summary>
    private void AccountForImages(TaskTransition transition, IReadOnlyList<LlmMessage> messages)
    {
        var task = transition.Task;
        if (ModelId.TryParse(task.RequestedModel ?? "", out var asked)
            && catalogue.Now.InService(asked, DateOnly.FromDateTime(transition.Now)) is { Vision: true } reader)
            task.PromptUnits += ProviderRegistry.Of(reader.Id.Provider).ImageTokens(messages);
        else
            task.Pass = task.Pass with { Name = TaskPasses.Extraction };
    }
}
