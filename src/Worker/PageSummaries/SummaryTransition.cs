using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Sagas;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using MassTransit;

namespace LlmQueue.Worker.PageSummaries;

/// <summary>The context of one transition of a summary: its row, the unit of work that will be written, and what was planned.</summary>
public sealed class SummaryTransition(SummaryRow summary, UnitOfWork work)
{
    public SummaryRow Summary => summary;

    public UnitOfWork Work => work;

    public DateTime Now => work.Now;

    public DateOnly Today => DateOnly.FromDateTime(work.Now);

    /// <summary>What the set of pages needs next; null before it was planned.</summary>
    public SummaryStep? Next { get; set; }

    public static SummaryTransition Of(BehaviorContext<SummaryRow> context) =>
        context.GetOrAddPayload(() => new SummaryTransition(context.Saga, context.GetPayload<UnitOfWork>()));

    /// <summary>An entry in the summary's history.</summary>
    public void Record(string entry, string? reason) => work.Record(summary.CorrelationId, entry, summary.State, reason);

    /// <summary>A text of the summary, kept in a row of its own.</summary>
    public string AddPayload(string part, string text)
    {
        work.Payloads.Add(new PayloadRow { SubjectId = summary.CorrelationId, Part = part, Content = text });
        return text;
    }
}

/// <summary>Activities for a new summary: its message is read into a row.</summary>
internal static class SummaryIntakeActivities
{
    /// <summary>Makes the row of a new summary; its pages wait in the message's context for <see cref="Accept"/>.</summary>
    public static SummaryRow Read(ConsumeContext<SummarizePages> context)
    {
        var now = context.GetPayload<UnitOfWork>().Now;
        var taken = SummaryIntake.Read(context.Message, MessageIdentity.Of(context, context.Message.Id), tenant: null, now);
        context.AddOrUpdatePayload(() => taken, _ => taken);
        return taken.Row;
    }

    public static void Accept(BehaviorContext<SummaryRow> context)
    {
        var transition = SummaryTransition.Of(context);
        var (summary, work) = (transition.Summary, transition.Work);
        var taken = context.GetPayload<AcceptedSummary>();
        work.Payloads.AddRange(taken.Pages);
        work.Record(summary.CorrelationId, "Submitted", SummaryStates.Submitted, $"{summary.Pages} pages");
        if (taken.Refusal is { } refusal)
            transition.Next = new SummaryStep.GiveUp(refusal);
        else
            SendAgain(context);
    }

    public static void SendAgain(BehaviorContext<SummaryRow> context) =>
        context.GetPayload<UnitOfWork>().Send(new StartSummary(context.Saga.CorrelationId));
}
