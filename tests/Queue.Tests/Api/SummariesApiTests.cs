using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Tests.Api;

public sealed class SummariesApiTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public async Task Takes_pages_and_shows_them_before_anybody_has_looked_at_them()
    {
        var accepted = await api.Anna.PostText("/v1/summaries",
            """{ "pages": [ { "title": "One", "text": "A" }, { "html": "<p>B</p>" } ], "question": "What?", "metadata": { "a": "b" } }""")
            .Body(202);
        await api.Sent<StartSummary>(s => s.SummaryId == accepted.GetProperty("id").GetGuid());
        var summary = await api.Anna.Get(accepted.GetProperty("links").Text("self")).Body(200);
        Assert.Equal(("Submitted", "What?"), (summary.Text("state"), summary.Text("question")));
        Assert.Equal("""{"pages":2,"pagesDone":0,"pagesExtracted":0,"pagesFailed":0,"stage":0,"stageTasks":0,"openTasks":0}""",
            JsonSerializer.Serialize(summary.GetProperty("progress")));
        Assert.Equal(["Submitted", "Submitted"], summary.GetProperty("pages").EnumerateArray().Select(p => p.Text("state")));
    }

    [Theory]
    [InlineData("{}", "has no 'pages'")]
    [InlineData("""{ "page": [] }""", "did you mean 'pages'?")]
    [InlineData("""{ "pages": [] }""", "'pages' is empty")]
    [InlineData("""{ "pages": [ { "title": "One" } ] }""", "None of the 1 pages can be read")]
    [InlineData("""{ "pages": [ { "text": 7 } ] }""", "'pages[0].text' is a number; expected a string.")]
    [InlineData("""{ "pages": "One" }""", "'pages' is a string; expected a list.")]
    [InlineData("""{ "pages": [ { "text": "A" } ], "model": "groq:tiny" }""", "'groq:tiny' is not in the catalogue")]
    [InlineData("[]", "Found a list; expected an object")]
    public async Task Refuses_with_a_sentence_that_names_what_is_wrong(string body, string sentence) =>
        Assert.Contains(sentence, await api.Anna.PostText("/v1/summaries", body).Problem(400), StringComparison.Ordinal);

    [Fact]
    public async Task Does_nothing_twice_for_a_key_that_comes_again()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(
            _ => api.Anna.PostText("/v1/summaries", """{ "pages": [ { "text": "A" } ] }""", ("Idempotency-Key", "book")).Body(202)));
        Assert.Single(answers.Select(a => a.Text("id")).Distinct());
    }

    [Fact]
    public async Task Shows_how_far_it_is_by_page_and_model_and_why_it_waits()
    {
        var summary = Summary(SummaryStates.SummarizingPages, pages: 4);
        (summary.Stage, summary.StageTasks, summary.OpenTasks) = (1, 5, 2);
        var (done, split1, split2, waiting, refused) = (Page(summary, 1, TaskStates.Completed), Page(summary, 2, TaskStates.Completed),
            Page(summary, 2, TaskStates.WaitingForCapacity), Page(summary, 3, TaskStates.WaitingForCapacity),
            Page(summary, 4, TaskStates.Rejected));
        (split2.PartNumber, refused.FailureReason) = (2, "Page 4 is empty; expected its text.");
        (done.AnsweredModel, done.InputTokens, done.OutputTokens, done.CostUsd) = ("groq:small", 100, 10, 0.25m);
        (split1.AnsweredModel, split1.InputTokens, split1.OutputTokens, split1.CostUsd) = ("groq:large", 200, 20, 0.5m);
        foreach (var (task, seconds) in new[] { (split2, 9), (waiting, 5) })
            task.Wait = new TaskWait
            {
                For = "capacity", ExpectedAt = Noon.AddSeconds(seconds),
                Reason = $"groq:small of groq-1 has no room: tokens a minute are used up until 12:00:0{seconds}.000 UTC",
            };
        await api.Write(summary, done, split1, split2, waiting, refused, Answer(done, "About one."), Answer(split1, "First half."));

        var view = await api.Anna.Get($"/v1/summaries/{summary.CorrelationId}").Body(200);
        Assert.Equal("""{"pages":4,"pagesDone":1,"pagesExtracted":0,"pagesFailed":1,"stage":1,"stageTasks":5,"openTasks":2}""",
            JsonSerializer.Serialize(view.GetProperty("progress")));
        Assert.Equal(
            """[{"waitingFor":"capacity","reason":"groq:small of groq-1 has no room: tokens a minute are used up","count":2,"expectedAt":"2026-11-21T12:00:05Z"}]""",
            JsonSerializer.Serialize(view.GetProperty("waiting")));
        Assert.Equal(
            """[{"model":"groq:large","tasks":1,"pages":1,"inputTokens":200,"outputTokens":20,"costUsd":0.5},{"model":"groq:small","tasks":1,"pages":1,"inputTokens":100,"outputTokens":10,"costUsd":0.25}]""",
            JsonSerializer.Serialize(view.GetProperty("models")));
        Assert.Equal("0.75", view.GetProperty("costUsd").GetRawText());
        Assert.Equal(["Completed", "WaitingForCapacity", "WaitingForCapacity", "Rejected"],
            view.GetProperty("pages").EnumerateArray().Select(p => p.Text("state")));
        Assert.Equal(("About one.", "Page 4 is empty; expected its text."),
            (view.GetProperty("pages")[0].Text("summary"), view.GetProperty("pages")[3].Text("reason")));

        var progress = await api.Anna.Get($"/v1/summaries/{summary.CorrelationId}/progress").Body(200);
        Assert.Equal(JsonSerializer.Serialize(view.GetProperty("models")), JsonSerializer.Serialize(progress.GetProperty("models")));
        Assert.False(progress.TryGetProperty("pages", out _));
    }

    [Fact]
    public async Task Shows_the_result_and_what_it_took()
    {
        var summary = Summary(SummaryStates.Completed, pages: 1);
        (summary.Question, summary.EndedAt) = ("What?", Noon.AddMinutes(1));
        var (first, second) = (Page(summary, 1, TaskStates.Completed), Page(summary, 1, TaskStates.Completed));
        (first.AnsweredModel, second.AnsweredModel, second.PartNumber, second.CostUnknown) = ("groq:small", "groq:large", 2, true);
        await api.Write(summary, first, second, Answer(first, "First half."), Answer(second, "Second half."),
            new PayloadRow { SubjectId = summary.CorrelationId, Part = "summary", Content = "The whole." },
            new PayloadRow { SubjectId = summary.CorrelationId, Part = "answer", Content = "This." },
            new AttemptRow { TaskId = first.CorrelationId, Number = 1, Model = "groq:small", Outcome = "throttled", CreatedAt = Noon },
            new AttemptRow { TaskId = first.CorrelationId, Number = 2, Model = "groq:small", Outcome = "answered", CreatedAt = Noon },
            new HistoryRow
            {
                SubjectId = first.CorrelationId, Version = 2, At = Noon, Entry = "Deferred", State = "WaitingForCapacity",
                Reason = "groq:small is closed until 12:00:01.000 UTC: slow down; expected to move at 2026-11-21 12:00:01.000 UTC",
            });
        var view = await api.Anna.Get($"/v1/summaries/{summary.CorrelationId}").Body(200);
        Assert.Equal(("Completed", "The whole.", "This."), (view.Text("state"), view.Text("summary"), view.Text("answer")));
        Assert.Equal(
            """[{"number":1,"title":"Title 1","state":"Completed","summary":"First half.\n\nSecond half.","model":"groq:small, groq:large","reason":null}]""",
            JsonSerializer.Serialize(view.GetProperty("pages")));
        Assert.Equal(JsonValueKind.Null, view.GetProperty("costUsd").ValueKind);
        Assert.Equal("""[{"model":"groq:small","calls":2,"throttled":1,"otherFaults":0}]""",
            JsonSerializer.Serialize(view.GetProperty("calls")));
        Assert.Equal("""[{"reason":"groq:small is closed: slow down","count":1}]""",
            JsonSerializer.Serialize(view.GetProperty("deferrals")));
        Assert.Contains("in the state 'Completed'", await api.Anna.Delete($"/v1/summaries/{summary.CorrelationId}").Problem(409),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Belongs_to_its_tenant()
    {
        var summary = Summary(SummaryStates.Planning, pages: 1);
        await api.Write(summary);
        await api.Ben.Get($"/v1/summaries/{summary.CorrelationId}").Problem(404);
        await api.Ben.Get($"/v1/summaries/{summary.CorrelationId}/progress").Problem(404);
        await api.Ben.Delete($"/v1/summaries/{summary.CorrelationId}").Problem(404);
        Assert.Equal("Planning", (await api.Anna.Delete($"/v1/summaries/{summary.CorrelationId}").Body(202)).Text("state"));
        await api.Sent<CancelSummary>(s => s.SummaryId == summary.CorrelationId);
    }

    private static SummaryRow Summary(string state, int pages) =>
        new()
        {
            CorrelationId = Guid.CreateVersion7(), Version = 1, State = state, Tenant = "anna", Pages = pages, SubmittedAt = Noon,
            UpdatedAt = Noon, CommandSentAt = Noon,
        };

    private static TaskRow Page(SummaryRow summary, int number, string state) => new()
    {
        CorrelationId = Guid.CreateVersion7(), Version = 1, State = state, Tenant = summary.Tenant, Title = $"Title {number}",
        SummaryId = summary.CorrelationId, SummaryRole = SummaryRoles.Page, PageNumber = number, PartNumber = 1,
        SubmittedAt = Noon, UpdatedAt = Noon, CommandSentAt = Noon, EndedAt = TaskStates.Ends.Contains(state) ? Noon : null,
    };

    private static PayloadRow Answer(TaskRow task, string text) =>
        new() { SubjectId = task.CorrelationId, Part = PayloadRow.Answer, Content = text };
}
