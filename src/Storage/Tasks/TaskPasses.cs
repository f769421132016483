using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using LlmQueue.Catalogue;
using MassTransit;

namespace LlmQueue.Storage.Tasks;

/// <summary>
/// The passes of a task that takes more than one call: what each call is for. Each is an ordinary call: reserved, admitted, claimed,
/// settled.
/// </summary>
public static class TaskPasses
{
    /// <summary>A model that reads images makes JSON of them.</summary>
    public const string Extraction = "extraction";

    /// <summary>The question is put as something was made of it; without such a pass it is put as it came.</summary>
    public const string Draft = "draft";

    /// <summary>Another model reviews the draft.</summary>
    public const string Critique = "critique";

    /// <summary>The draft's model writes it anew with what was found.</summary>
    public const string Revision = "revision";

    /// <summary>The critic scores the revision as it scored the draft.</summary>
    public const string Verdict = "verdict";

    /// <summary>How the passes begin in which a prompt that fits no call is read: part-1-of-5, part-2-of-5, …</summary>
    public const string Part = "part";

    /// <summary>A prompt is read in no more parts than this; what is longer belongs into a summary of pages.</summary>
    public const int MostParts = ModelChecks.MostParts;

    public static string PartOf(int number, int count) => $"{Part}-{number}-of-{count}";

    public static bool IsPart([NotNullWhen(true)] string? pass) => pass?.StartsWith($"{Part}-", StringComparison.Ordinal) == true;

    /// <summary>Which part of how many; of a pass that reads one.</summary>
    public static (int Number, int Count) PlaceOf(string part)
    {
        var words = part.Split('-');
        return (int.Parse(words[1], CultureInfo.InvariantCulture), int.Parse(words[3], CultureInfo.InvariantCulture));
    }

    /// <summary>Which part of how many, in words.</summary>
    public static string Describe(string part)
    {
        var (number, count) = PlaceOf(part);
        return $"part {number} of {count}";
    }

    /// <summary>The question itself is put, by whichever name.</summary>
    public static bool IsTheAnswer(string? pass) => pass is null or Draft;

    /// <summary>The models asked are those of the task's own route.</summary>
    public static bool IsRouted(string? pass) => IsTheAnswer(pass) || IsPart(pass);

    /// <summary>The payloads in which what a pass gave is kept, in order; notes of parts come before the draft.</summary>
    public static readonly IReadOnlyList<string> Kept = [Extraction, Draft, Critique, Revision, Verdict];

    /// <summary>The place of what a pass gave among the others'.</summary>
    public static int Order(string kept) =>
        kept == Extraction ? 0 : IsPart(kept) ? PlaceOf(kept).Number : MostParts + Kept.ToList().IndexOf(kept);

    /// <summary>The state of a task whose call for this pass is on its way.</summary>
    public static string StateOf(string? pass) => pass switch
    {
        Extraction => TaskStates.Extracting,
        _ when IsPart(pass) => TaskStates.Extracting,
        Critique or Verdict => TaskStates.Critiquing,
        Revision => TaskStates.Revising,
        _ => TaskStates.Calling,
    };
}
