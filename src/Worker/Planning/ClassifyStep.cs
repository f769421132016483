using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Planning.Transitions;
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
    BatchedQuestions questions,
    PayloadReader payloads) : IPlanningStep
{
    public async ValueTask<NextStep?> Plan(TaskTransition transition)
    {
        var task = transition.Task;
        if (task is not { Route.Chain: null, ClassifiedBy: null, RequestedModel: null })
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
        var size = BatchedQuestions.SizeOf(messages);
        var leads = questions.Begin();
        var request = new AdmissionRequest(
            chain, LoadBalanced: false, leads ? size.AsLead : size.AsMember, ClassifierPrompt.OutputTokens(leads),
            ClassifierPrompt.CallKind,
            leads ? 1 : 0);
        var admitted = false;
        try
        {
            admitted = await admission.Decide(transition.Task, transition.Work, request) is AdmissionDecision.Open;
        }
        finally
        {
            if (!admitted)
                questions.Drop();
        }

        if (admitted)
            questions.Share(transition.Work, directory.Find(transition.Task.Reservation.Bucket!)!.Model, size);
        return admitted;
    }
}
