using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Passes;

namespace LlmQueue.Tests.Passes;

public sealed class PassRuleTests
{
    private static readonly DateTime Now = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    public static TheoryData<string?, Critique?, double?, string> Table { get; } = new()
    {
        { null, null, null, "begin critique" },
        { TaskPasses.Critique, null, null, "draft: the critique is not the object that was asked for" },
        { TaskPasses.Critique, new Critique(Accepts: true, [], 0.9), null, "draft: the critic accepts it, score 0.90" },
        { TaskPasses.Critique, new Critique(Accepts: true, ["Only a trifle."], 0.8), null, "draft: the critic accepts it, score 0.80" },
        { TaskPasses.Critique, new Critique(Accepts: false, ["A gap."], 0.4), null, "begin revision: A gap." },
        { TaskPasses.Revision, null, 0.4, "begin verdict" },
        { TaskPasses.Verdict, new Critique(Accepts: false, ["Worse."], 0.39), 0.4, "draft: the revision scored 0.39, the draft 0.40" },
        { TaskPasses.Verdict, new Critique(Accepts: false, ["No better."], 0.4), 0.4, "revision: it scored 0.40, the draft 0.40" },
        { TaskPasses.Verdict, new Critique(Accepts: true, [], 0.9), 0.4, "revision: it scored 0.90, the draft 0.40" },
        {
            TaskPasses.Verdict, null, 0.4,
            "draft: what was said of the revision is not the object that was asked for, so nobody knows whether it is better"
        },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void What_follows_a_pass(string? pass, Critique? critique, double? draftScore, string expected) =>
        Assert.Equal(expected, Words(PassRule.After(pass, critique, draftScore, deadline: null, Now)));

    [Theory]
    [InlineData(null)]
    [InlineData(TaskPasses.Critique)]
    [InlineData(TaskPasses.Revision)]
    public void After_the_deadline_no_pass_begins(string? pass)
    {
        var found = pass is TaskPasses.Critique ? new Critique(Accepts: false, ["A gap."], 0.4) : null;

        Assert.StartsWith("draft: its deadline passed before", Words(PassRule.After(pass, found, 0.4, Now, Now)), StringComparison.Ordinal);
        Assert.StartsWith("begin", Words(PassRule.After(pass, found, 0.4, Now.AddSeconds(1), Now)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_revision_that_was_scored_in_time_is_kept_though_the_deadline_has_passed() =>
        Assert.Equal("revision: it scored 0.90, the draft 0.40",
            Words(PassRule.After(TaskPasses.Verdict, new Critique(Accepts: true, [], 0.9), 0.4, Now.AddSeconds(-1), Now)));

    private static string Words(PassDecision decision) => decision switch
    {
        PassDecision.Begin { Issues: [] } begin => $"begin {begin.Pass}",
        PassDecision.Begin begin => $"begin {begin.Pass}: {string.Join(' ', begin.Issues)}",
        PassDecision.KeepDraft draft => $"draft: {draft.Reason}",
        PassDecision.KeepRevision revision => $"revision: {revision.Reason}",
        _ => throw new InvalidOperationException(decision.GetType().Name),
    };
}
