using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning;

/// <summary>A task with images begins with a model that reads them: chooses that model and sizes the call.</summary>
public sealed class ReadImagesStep(CurrentCatalogue catalogue, ModelAvailability availability, PayloadReader payloads) : IPlanningStep
{
    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        var task = transition.Task;
        if (task is not { Pass.Name: TaskPasses.Extraction, Route.Chain: null })
            return null;

        var question = StoredPrompt.Read(await payloads.ReadPrompt(transition)).Messages;
        var (table, conditions) = (catalogue.Now, availability.At(transition.Now));
        var readers = (table.Extractors.Count > 0 ? table.Extractors : table.Models.Where(m => m.Vision).Select(m => m.Id)).ToList();
        var units = TokenEstimateRule.UnitsWithFrame(ExtractionPrompt.Messages(question)) + MostImageTokens(question, readers, conditions);
        transition.EnterPass(TaskPasses.Extraction, units, ExtractionPrompt.MaxOutputTokens);

        var request = new RouteRequest { PromptTokens = task.PromptTokens, MaxOutputTokens = task.CallOutputTokens };
        var able = RoutingRule.Able(readers, request, table, conditions);
        if (able.Count == 0)
            return new NextStep.Reject(WhyNobody(task, readers, conditions));
        task.Route = task.Route with { Chain = ModelChain.Of(able) };
        return null;
    }

    private static int MostImageTokens(IReadOnlyList<LlmMessage> question, List<ModelId> readers, RouteConditions conditions) =>
        readers.Select(id => id.Provider).Distinct().Where(conditions.HasKey)
            .Select(provider => ProviderRegistry.Of(provider).ImageTokens(question)).DefaultIfEmpty(0).Max();

    private static string WhyNobody(TaskRow task, List<ModelId> readers, RouteConditions conditions)
    {
        var names = string.Join(", ", readers);
        var why = readers.Exists(id => conditions.HasKey(id.Provider))
            ? $"they and the request are estimated at {task.PromptTokens} tokens, more than any of {names} takes in one call; "
                + "make them smaller or fewer"
            : $"no provider of {names} has a key; set one, or send text";
        return $"The task has images, and no model that reads them can take it: {why}.";
    }
}
