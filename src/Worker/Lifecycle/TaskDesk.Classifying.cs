using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// What a task is: its producer's word, the rules, what was said of the same prompt before, the small model, or nobody.
public sealed partial class TaskDesk
{
    /// <summary>What the small model said, or the default route: a task is never held up by its classification.</summary>
    public void KeepClassification<T>(BehaviorContext<TaskRow, T> context) where T : class
    {
        var (task, transition) = (context.Saga, Of(context));
        var finished = (CallFinished)transition.Decision!;
        ClearReservation(task);
        transition.Left = null;
        var said = finished.Outcome is CallOutcome.Answered answered ? ClassifierPrompt.Read(answered.Text) : null;
        if (said is not null && finished.PromptHash is { } hash)
            known.Keep(hash, said, transition.Now);
        Keep(task, transition, said is null ? ClassificationRule.Default(task.Kind, task.Complexity) : ClassificationRule.Under(task.Kind, task.Complexity, said));
        transition.Record(task.CorrelationId, "Classified", TaskStates.Classifying, said is null
            ? $"the small model gave nothing usable ({finished.Outcome.Word}), so the default route is taken"
            : $"the small model: {said.Kind}, {said.Complexity}, confidence {said.Confidence:0.00}");
    }

    /// <summary>Estimates the prompt and lets the rules say what it is. Cheap: it runs for every task.</summary>
    private void Prepare(TaskRow task, UnitOfWork transition, StoredPrompt prompt)
    {
        task.PromptUnits = TokenEstimateRule.UnitsWithFrame(prompt.Weighed());
        if (prompt.Messages.Any(m => m.Images is { Count: > 0 }))
            Show(task, transition, prompt.Messages);
        task.PromptTokens = TokenEstimateRule.Estimate(task.PromptUnits, TokenCalibration.None);
        task.Turns = ClassificationRule.Turns(prompt.Messages);
        if (ClassificationRule.Decide(task.Kind, task.Complexity, prompt.Messages) is { } classified)
            Keep(task, transition, classified);
    }

    /// <summary>Images go to the model that was asked for, when it reads them; else one that does makes text of them first.</summary>
    private void Show(TaskRow task, UnitOfWork transition, IReadOnlyList<LlmMessage> messages)
    {
        if (ModelId.TryParse(task.RequestedModel ?? "", out var asked) && catalogue.Now.InService(asked, DateOnly.FromDateTime(transition.Now)) is { Vision: true } seeing)
            task.PromptUnits += ImageTokenRule.Of(messages, seeing.Id.Provider);
        else
            task.Pass = TaskPasses.Extraction;
    }

    /// <summary>True when the small model is to be asked and has room for the question now; false when it is known what the task is, for better or worse.</summary>
    private async ValueTask<bool> IsToBeAsked(TaskRow task, UnitOfWork transition, string prompt)
    {
        if (known.Find(ContentHash.Of(prompt)) is { } said)
        {
            Keep(task, transition, ClassificationRule.Under(task.Kind, task.Complexity, said));
            transition.Record(task.CorrelationId, "Classified", task.State, $"as the small model said of the same prompt before: {said.Kind}, {said.Complexity}, confidence {said.Confidence:0.00}");
            return false;
        }

        if (task.Attempt == 0 && await AskClassifier(task, transition, StoredPrompt.Read(prompt).Messages))
            return true;
        Keep(task, transition, ClassificationRule.Default(task.Kind, task.Complexity));
        return false;
    }

    /// <summary>True when the small model has room for the question now; a task never waits to be classified.</summary>
    private async ValueTask<bool> AskClassifier(TaskRow task, UnitOfWork transition, IReadOnlyList<LlmMessage> messages)
    {
        var chain = catalogue.Now.InService(catalogue.Now.Classifier, DateOnly.FromDateTime(transition.Now)).Where(id => providers.Has(id.Provider)).ToList();
        if (chain.Count == 0)
            return false;
        var size = BatchedQuestions.SizeOf(messages);
        var leads = questions.Begin();
        var errand = new AdmissionRequest(chain, Spread: false, leads ? size.AsLead : size.AsMember, ClassifierPrompt.OutputTokens(leads), ClassifierPrompt.AdmissionRequest, Requests: leads ? 1 : 0);
        var admitted = false;
        try
        {
            admitted = await admission.Decide(task, transition, errand) is AdmissionDecision.Open;
        }
        finally
        {
            if (!admitted)
                questions.Drop();
        }

        if (admitted)
            questions.Share(transition, directory.Find(task.Bucket!)!.Model, size);
        return admitted;
    }

    private static void Keep(TaskRow task, UnitOfWork transition, Classification.Classification found)
    {
        (task.Kind, task.Complexity, task.ClassifiedBy, task.Confidence) = (found.Kind, found.Complexity, found.By, found.Confidence);
        task.NeedsContext = found.RequiresContext;
        transition.Classified = found;
    }
}
