using System.Text.Json;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Recovery;
using MassTransit;

namespace LlmQueue.Worker.Planning.Transitions;

/// <summary>
/// The context of one transition of a task: its row, the unit of work that will be written, and what steps and activities hand to each
/// other. It is a payload of the message's context beside the unit of work; a transition that is decided again begins with a new one.
/// </summary>
public sealed class TaskTransition(TaskRow task, UnitOfWork work)
{
    public TaskRow Task => task;

    public UnitOfWork Work => work;

    public DateTime Now => work.Now;

    /// <summary>Where the task goes after planning; null before.</summary>
    public NextStep? Next { get; set; }

    /// <summary>The call that ended in this transition; null when none did.</summary>
    public CallFinished? Finished { get; set; }

    /// <summary>What the task does after that call; null before it was decided.</summary>
    public AfterCall? AfterCall { get; set; }

    /// <summary>What the task was found to be in this very transition, with what its row does not keep.</summary>
    public Classification.Classification? Classified { get; private set; }

    /// <summary>The model that was just called, and why the next call may go elsewhere.</summary>
    public LeftModel? Left { get; set; }

    /// <summary>Routing found that no model takes the prompt in one call; whether parts help is not decided yet.</summary>
    public NextStep.Reject? TooLong { get; set; }

    /// <summary>A draft stands: it is the answer when nothing better comes.</summary>
    public bool HasDraft => task.Pass.DraftedBy is not null;

    /// <summary>The labels that the producer gave, for events.</summary>
    public IReadOnlyDictionary<string, string>? Metadata => Labels.Read(task.Metadata);

    /// <summary>What the row says is reserved for the open call.</summary>
    public Reservation Reservation => new(
        task.Reservation.Bucket!,
        new ResourceDemand(task.Reservation.Lead is null ? 1 : 0, task.Reservation.Tokens),
        task.Reservation.Usd,
        task.Reservation.Budgets?.Ids ?? []);

    public static TaskTransition Of(BehaviorContext<TaskRow> context) =>
        context.GetOrAddPayload(() => new TaskTransition(context.Saga, context.GetPayload<UnitOfWork>()));

    /// <summary>An entry in the task's history.</summary>
    public void Record(string entry, string? reason = null) => work.Record(task.CorrelationId, entry, task.State, reason);

    /// <summary>A text of the task, kept in a row of its own.</summary>
    public void AddPayload(string part, string content) =>
        work.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = part, Content = content });

    public void Classify(Classification.Classification found)
    {
        (task.Kind, task.Complexity, task.ClassifiedBy, task.Confidence) = (found.Kind, found.Complexity, found.By, found.Confidence);
        task.NeedsContext = found.RequiresContext;
        Classified = found;
    }

    /// <summary>
    /// Writes into the row what the next call is for and how long its prompt is. A null for the output means as much as was asked for.
    /// </summary>
    public void EnterPass(string pass, double promptUnits, int? outputTokens)
    {
        task.Pass = task.Pass with { Name = pass, OutputTokens = outputTokens };
        task.PromptUnits = promptUnits;
        task.PromptTokens = TokenEstimateRule.Estimate(promptUnits, TokenCalibration.None);
        task.Route = task.Route with { LoadBalanced = false };
        task.Faults = 0;
    }

    public AttemptRow EndAttempt(string outcome, string? detail)
    {
        var attempt = new AttemptRow
        {
            TaskId = task.CorrelationId, Number = task.Attempt, EndedAt = Now, Outcome = outcome, Detail = detail,
        };
        work.Ended.Add(attempt);
        return attempt;
    }

    public void ClearReservation()
    {
        (task.Model, task.Reservation) = (null, TaskReservation.None);
    }
}

/// <summary>The model of the call that has just ended.</summary>
/// <param name="Model">Its id.</param>
/// <param name="Reason">What came of the call.</param>
public sealed record LeftModel(string Model, string Reason);
