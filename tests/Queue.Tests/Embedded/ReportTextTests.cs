using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Storage.Summaries;

namespace LlmQueue.Tests.Embedded;

public sealed class ReportTextTests
{
    private static readonly SummaryReport Report = new()
    {
        Id = Guid.Parse("0199f0a2-7c1e-8b7a-9d55-3f1f6f0c8a11"), State = "Completed", Simulated = false, Question = "What?",
        Answer = "That.", Summary = "The whole.",
        Pages =
        [
            new PageResult { Number = 1, Title = "a.md", State = "Completed", Summary = "About a.", Model = "groq:x, groq:y" },
            new PageResult { Number = 2, Title = "b.md", State = "Rejected", Reason = "The file is empty." },
        ],
        Models = [new ModelUse("groq:x", 2, 1, 1000, 100, 0.0123m), new ModelUse("groq:y", 1, 1, 500, 50, null)],
        Usage = new LlmUsage(1500, 150), CostUsd = null, Calls = 5, Refused = 1, Retried = 1,
        Deferrals = [new DeferralCount("groq:x has no room: tokens a minute are used up", 3)], Seconds = 75.4,
    };

    [Fact]
    public void Markdown_has_the_answer_the_whole_every_page_and_the_figures() => Assert.Equal(
        """
        # Summary of 2 pages

        **Question:** What?

        **Answer:** That.

        ## The whole

        The whole.

        ## The pages

        ### 1. a.md

        _groq:x, groq:y_

        About a.

        ### 2. b.md

        **Rejected:** The file is empty.

        ## The figures

        | Model | Pages | Answers | Input tokens | Output tokens | Cost |
        |---|---:|---:|---:|---:|---:|
        | groq:x | 1 | 2 | 1,000 | 100 | $0.0123 |
        | groq:y | 1 | 1 | 500 | 50 | unknown |
        | All | 1 | 3 | 1,500 | 150 | unknown |

        | In all |  |
        |---|---:|
        | Pages | 1 of 2, 1 failed |
        | Calls made | 5 |
        | Calls refused for a limit | 1 |
        | Calls that met a fault | 1 |
        | Times a task waited | 3 |
        | because groq:x has no room: tokens a minute are used up | 3 |
        | Time | 1:15 |

        """, ReportText.ToMarkdown(Report), ignoreLineEndingDifferences: true);

    [Fact]
    public void The_screen_names_the_pages_that_failed()
    {
        var screen = ReportText.ToScreen(Report);

        Assert.Contains("Page 2, b.md: Rejected. The file is empty.", screen, StringComparison.Ordinal);
        Assert.DoesNotContain("a.md", screen, StringComparison.Ordinal);
    }

    [Fact]
    public void Simulated_answers_are_never_given_out_without_saying_so() =>
        Assert.Contains("simulated", ReportText.ToMarkdown(Report with { Simulated = true }), StringComparison.Ordinal);

    [Fact]
    public void An_unknown_cost_is_null_in_json_and_never_0()
    {
        using var json = JsonDocument.Parse(ReportText.ToJson(Report));

        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("costUsd").ValueKind);
        Assert.Equal(2, json.RootElement.GetProperty("pages").GetArrayLength());
    }

    [Fact]
    public void Files_that_cannot_be_read_stand_where_their_page_would()
    {
        PageFile[] files =
        [
            new("a.md", null, "The file is empty."), new("b.md", new PageContent { Text = "b" }, null),
            new("c.md", null, "The file is binary."),
        ];

        var pages = SummaryReport.Merge([new PageResult { Number = 1, Title = "b.md", State = "Completed", Summary = "B" }], files);

        Assert.Equal([(1, "a.md", "Rejected"), (2, "b.md", "Completed"), (3, "c.md", "Rejected")],
            pages.Select(p => (p.Number, p.Title, p.State)));
    }

    [Theory]
    [InlineData(0.04, "0.0 s")]
    [InlineData(59.9, "59.9 s")]
    [InlineData(75, "1:15")]
    [InlineData(3725, "1:02:05")]
    public void Durations_are_short(double seconds, string text) => Assert.Equal(text, ReportText.Duration(seconds));
}
