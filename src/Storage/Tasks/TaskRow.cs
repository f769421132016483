using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using MassTransit;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// A task: the instance of its state machine, and the truth about it. Prompts, answers, attempts and history are rows of their own,
/// so this one stays small whatever the page's size.
/// </summary>
public sealed class TaskRow : SagaStateMachineInstance
{
    public Guid CorrelationId { get; set; }

    /// <summary>Counts transitions; a commit that finds another number than it loaded is decided again.</summary>
    public int Version { get; set; }

    /// <summary>The state's name, never its number: states may be added without moving the others.</summary>
    public string State { get; set; } = "Initial";

    // What was asked
    public string Tenant { get; set; } = "default";
    public string? Title { get; set; }
    public string? Kind { get; set; }
    public string? Complexity { get; set; }
    public short Priority { get; set; } = Priorities.Normal;
    public bool HighStakes { get; set; }
    public string? Agent { get; set; }
    public string? Conversation { get; set; }
    public string? RequestedModel { get; set; }
    public int MaxOutputTokens { get; set; }
    public DateTime? Deadline { get; set; }
    public string? Metadata { get; set; }
    public string? WebhookUrl { get; set; }
    public DateTime SubmittedAt { get; set; }

    // Whose page it is, when it belongs to a summary
    public Guid? SummaryId { get; set; }
    public string? SummaryRole { get; set; }
    public int? PageNumber { get; set; }
    public int? PartNumber { get; set; }

    // Which line of which batch it is, when it belongs to one
    public Guid? BatchId { get; set; }
    /// <summary>The line's place in the input file, from 1.</summary>
    public int? BatchLine { get; set; }
    /// <summary>What the line's owner calls it: the name of its answer.</summary>
    public string? CustomId { get; set; }
    // What it was found to be
    /// <summary>Messages of its conversation, instructions to the model not counted.</summary>
    public int Turns { get; set; }
    /// <summary>Who said what kind of task it is: "producer", "rules", "cache", "model" or "default"; null while nobody has.</summary>
    public string? ClassifiedBy { get; set; }
    /// <summary>How sure they were, 0 to 1.</summary>
    public double? Confidence { get; set; }
    /// <summary>It cannot be done without what was said before; null is not known.</summary>
    public bool? NeedsContext { get; set; }

    public TaskRoute Route { get; set; } = TaskRoute.None;
    /// <summary>
    /// The prompt's estimate before anything is known of the model's own counting; 0 until the prompt was looked at, see
    /// <see cref="IsEstimated"/>.
    /// </summary>
    public int PromptTokens { get; set; }
    /// <summary>The prompt's size in the estimate's units: what a model's calibration turns into its tokens.</summary>
    public double PromptUnits { get; set; }

    /// <summary>The prompt was looked at: an estimate is never 0, since every prompt has a frame.</summary>
    public bool IsEstimated => PromptTokens != 0;

    public TaskPass Pass { get; set; } = TaskPass.None;

    /// <summary>The longest answer of the call it is at or waits for.</summary>
    public int CallOutputTokens => Pass.OutputTokens ?? MaxOutputTokens;
    /// <summary>What such calls have in common, for what is learned of the length of their answers.</summary>
    public string? CallKind => TaskPasses.IsPart(Pass.Name) ? TaskPasses.Part : Pass.Name ?? Kind;

    // The open attempt and what is reserved for it
    public int Attempt { get; set; }
    public int Faults { get; set; }
    /// <summary>Of these, faults that were the provider's and not the task's: they end nothing while there is time.</summary>
    public int Outages { get; set; }
    public string? Model { get; set; }
    public string? Why { get; set; }
    public TaskReservation Reservation { get; set; } = TaskReservation.None;

    public TaskWait Wait { get; set; } = TaskWait.None;

    /// <summary>
    /// When the command that moves it on was last sent, so that the Rescuer does not send it in a loop; <see cref="NeverSent"/> for a
    /// batch's line that waits for its portion.
    /// </summary>
    public DateTime CommandSentAt { get; set; }

    /// <summary>No command was sent: the batch feeder sends the first one when it is the line's turn. The column holds infinity.</summary>
    public static readonly DateTime NeverSent = DateTime.MaxValue;

    // What became of it
    public string? AnsweredModel { get; set; }
    public long InputTokens { get; set; }
    public long OutputTokens { get; set; }
    public decimal CostUsd { get; set; }
    /// <summary>A call was made whose price is unknown: the cost is unknown, not what the sum says.</summary>
    public bool CostUnknown { get; set; }
    public string? FailureReason { get; set; }
    public DateTime UpdatedAt { get; set; }
    public DateTime? EndedAt { get; set; }

    /// <summary>Where it stands in the fair order, by what its wait queue counts in: the tokens of its queue's models.</summary>
    /// <param name="weight">Its tenant's weight.</param>
    /// <param name="present">The virtual time of the fair order.</param>
    /// <param name="activeTenants">Tenants whose work is booked beyond the present.</param>
    public Place PlaceInQueue(double weight, double present, int activeTenants)
    {
        // Start tags are kept in tokens as first estimated; the queue counts them as its models do.
        var ahead = (Wait.StartTag - present) * weight * (Wait.QueueTokens / Math.Max(1, PromptTokens + MaxOutputTokens));
        return new Place(Priority, Wait.QueueTokens, ahead, activeTenants);
    }
}
