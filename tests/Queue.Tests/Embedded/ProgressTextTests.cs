using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Tests.Embedded;

public sealed class ProgressTextTests
{
    private static readonly DateTime Now = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void A_line_says_what_is_done_what_waits_and_why()
    {
        var line = ProgressText.Line(new ProgressLook(Summary("SummarizingPages", done: 4, open: 6), Unreadable: 1,
            TimeSpan.FromSeconds(12), TimeSpan.FromSeconds(8.2), Now));

        Assert.Equal(
            "Summarising pages · 4 of 11 pages · 1 failed · 3 waiting (3 for capacity, tokens a minute are used up; "
                + "the next in 5.0 s) · calls 7, refused 1 · tokens 1,000 in, 50 out · cost unknown · 12.0 s, about 9.0 s left",
            line);
    }

    [Fact]
    public void Time_left_follows_the_pace_and_is_not_guessed_from_too_little()
    {
        var pace = new Pace();

        Assert.Null(pace.Left(Summary("SummarizingPages", done: 2, open: 8), TimeSpan.FromSeconds(1)));
        Assert.Null(pace.Left(Summary("SummarizingPages", done: 4, open: 6), TimeSpan.FromSeconds(3)));
        Assert.Equal(TimeSpan.FromSeconds(5), pace.Left(Summary("SummarizingPages", done: 6, open: 4), TimeSpan.FromSeconds(6)));
        Assert.Null(pace.Left(Summary("Synthesizing", done: 10, open: 1), TimeSpan.FromSeconds(9)));
    }

    private static SummaryProgress Summary(string state, int done, int open) => new()
    {
        Id = Guid.NewGuid(), State = state, Tenant = "default", Progress = new PageProgress(10, done, 0, 0, 1, done + open, open),
        Waiting = state == "SummarizingPages" ? [new WaitView("capacity", "tokens a minute are used up", 3, Now.AddSeconds(5))] : [],
        Models = [], Usage = new LlmUsage(1000, 50), CallTotals = new CallTotals(7, 2, 1, 0), CostUsd = null, SubmittedAt = Now,
    };
}
