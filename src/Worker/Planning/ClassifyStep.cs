using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Worker.Planning;

/// <summary>
/// Finds out what a task is when its producer and the rules did not say: from the cache, else by asking the small model, else the default.
/// A task never waits to be classified.
/// </summary>
public sealed class ClassifyStep(
    ClassificationCache cache,
    AdmissionController admission,
    CurrentCatalogue catalogue,
    UsableProviders providers,
    BucketDirectory directory,
    CallEstimates estimates,
    PayloadReader payloads) : IPlanningStep
{
    /// <summary>
    /// Questions of this process that are decided and not yet committed: as many may share a call, so only the first of each pack looks
    /// for a request.
    /// </summary>
    private int _asking;

    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        var task = transition.Task;
        if (task is not { Chain: null, ClassifiedBy: null, RequestedModel: null })
            return null;

        var prompt = await payloads.ReadPrompt(transition);
        if (cache.Find(ContentHash.Of(prompt)) is { } said)
        {
            transition.Classify(ClassificationRule.Under(task.Kind, task.Complexity, said));
            transition.Record("Classified",
                $"as the small model said of the same prompt before: {said.Kind}, {said.Complexity}, confidence {said.Confidence:0.00}");
            return null;
        }

        if (task.Attempt == 0 && await TryAsk(transition, StoredPrompt.Read(prompt).Messages))
            return new NextStep.AskClassifier();
        transition.Classify(ClassificationRule.Default(task.Kind, task.Complexity));
        return null;
    }

    /// <summary>True when the small model has capacity for the question now; then it is reserved.</summary>
    private async ValueTask<bool> TryAsk(TaskTransition transition, IReadOnlyList<LlmMessage> messages)
    {
        var today = DateOnly.FromDateTime(transition.Now);
        var chain = catalogue.Now.InService(catalogue.Now.Classifier, today).Where(id => providers.Has(id.Provider)).ToList();
        if (chain.Count == 0)
            return false;
        var alone = TokenEstimateRule.UnitsWithFrame(ClassifierPrompt.Messages([messages]));
        var along = TokenEstimateRule.Units(ClassifierPrompt.Entry(messages, 1));
        var leads = Interlocked.Increment(ref _asking) % Packing.Most == 1;
        var outputTokens = ClassifierPrompt.OutputTokens(leads);
        var request = new AdmissionRequest(chain, Spread: false, leads ? alone : along, outputTokens, ClassifierPrompt.AdmissionRequest, leads ? 1 : 0);
        var admitted = await admission.Decide(transition.Task, transition.Work, request) is AdmissionDecision.Open;
        if (admitted)
            transition.Work.MayShare(PackingOf(transition.Task, alone, along), () => Interlocked.Decrement(ref _asking));
        else
            Interlocked.Decrement(ref _asking);
        return admitted;
    }

    /// <summary>What the question takes at the model it was admitted to, in either way of asking it.</summary>
    private Packing PackingOf(TaskRow task, double alone, double along)
    {
        var model = directory.Find(task.Bucket!)!.Model;
        var (aloneOutput, alongOutput) = (ClassifierPrompt.OutputTokens(leads: true), ClassifierPrompt.OutputTokens(leads: false));
        return new Packing(
            estimates.Demand(model, ClassifierPrompt.AdmissionRequest, alone, aloneOutput),
            estimates.MostUsd(model, alone, aloneOutput),
            estimates.Demand(model, ClassifierPrompt.AdmissionRequest, along, alongOutput) with { Requests = 0 },
            estimates.MostUsd(model, along, alongOutput));
    }
}
