using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using MassTransit;

namespace LlmQueue.Storage.Tasks;

/// <summary>The states of a task, as they are stored and shown. Who moves a task out of each is said in the state machine.</summary>
public static class TaskStates
{
    public const string Submitted = "Submitted";
    public const string Classifying = "Classifying";
    public const string Extracting = "Extracting";
    public const string WaitingForCapacity = "WaitingForCapacity";
    public const string WaitingForBudget = "WaitingForBudget";
    public const string WaitingToRetry = "WaitingToRetry";
    public const string Calling = "Calling";
    public const string Critiquing = "Critiquing";
    public const string Revising = "Revising";
    public const string Completed = "Completed";
    public const string Failed = "Failed";
    public const string Rejected = "Rejected";
    public const string Canceled = "Canceled";
    public const string Expired = "Expired";

    public static readonly IReadOnlyList<string> All =
        [Submitted, Classifying, Extracting, WaitingForCapacity, WaitingForBudget, WaitingToRetry, Calling, Critiquing, Revising, Completed,
            Failed, Rejected, Canceled, Expired];

    public static readonly IReadOnlyList<string> Ends = [Completed, Failed, Rejected, Canceled, Expired];

    /// <summary>A call is on its way in each of these, for SQL.</summary>
    public const string Called = $"'{Classifying}', '{Extracting}', '{Calling}', '{Critiquing}', '{Revising}'";

    /// <summary>Those in which the call is for an answer that nothing else could stand in for: no deadline cuts it off.</summary>
    public const string CalledForTheFirst = $"'{Classifying}', '{Extracting}', '{Calling}'";

    public static bool IsCalled(string state) => state is Classifying or Extracting or Calling or Critiquing or Revising;
}
