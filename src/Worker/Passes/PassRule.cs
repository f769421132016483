using System.Globalization;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Passes;

/// <summary>The next pass after an answered one. A closed set.</summary>
public abstract record PassDecision
{
    /// <summary>The next pass begins.</summary>
    public sealed record Begin(string Pass, IReadOnlyList<string> Issues) : PassDecision;

    /// <summary>The draft is the answer.</summary>
    public sealed record KeepDraft(string Reason) : PassDecision;

    /// <summary>The revision is the answer.</summary>
    public sealed record KeepRevision(string Reason) : PassDecision;
}

/// <summary>
/// Decides the order of passes: draft, critique, revision, verdict. The draft is the answer until a revision has been scored no lower by
/// the critic that scored the draft; whatever fails on the way costs the task nothing but the improvement. Pure.
/// </summary>
public static class PassRule
{
    /// <param name="pass">The pass that was answered; null is the draft.</param>
    /// <param name="critique">What the answer says, where the pass was a critique or a verdict; null when it cannot be read.</param>
    /// <param name="draftScore">The draft's score, once there is one.</param>
    /// <param name="deadline">When an answer is of no use any more.</param>
    /// <param name="now">The present.</param>
    public static PassDecision After(string? pass, Critique? critique, double? draftScore, DateTime? deadline, DateTime now) =>
        (pass, critique) switch
    {
        (null, _) when deadline <= now => new PassDecision.KeepDraft("its deadline passed before the draft could be reviewed"),
        (null, _) => new PassDecision.Begin(TaskPasses.Critique, []),
        (TaskPasses.Critique, null) => new PassDecision.KeepDraft("the critique is not the object that was asked for"),
        (TaskPasses.Critique, { Accepts: true } found) => new PassDecision.KeepDraft($"the critic accepts it, score {Shown(found.Score)}"),
        (TaskPasses.Critique, _) when deadline <= now => new PassDecision.KeepDraft("its deadline passed before it could be revised"),
        (TaskPasses.Critique, { } found) => new PassDecision.Begin(TaskPasses.Revision, found.Issues),
        (TaskPasses.Revision, _) when deadline <= now =>
            new PassDecision.KeepDraft("its deadline passed before the revision could be scored"),
        (TaskPasses.Revision, _) => new PassDecision.Begin(TaskPasses.Verdict, []),
        (TaskPasses.Verdict, null) => new PassDecision.KeepDraft(
            "what was said of the revision is not the object that was asked for, so nobody knows whether it is better"),
        (TaskPasses.Verdict, { } found) when found.Score < draftScore =>
            new PassDecision.KeepDraft($"the revision scored {Shown(found.Score)}, the draft {Shown(draftScore.Value)}"),
        (TaskPasses.Verdict, { } found) =>
            new PassDecision.KeepRevision($"it scored {Shown(found.Score)}, the draft {Shown(draftScore ?? 0)}"),
        _ => throw new InvalidOperationException($"No decision is written for the pass '{pass}'."),
    };

    internal static string Shown(double score) => score.ToString("0.00", CultureInfo.InvariantCulture);
}
