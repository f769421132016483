using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Tests.Intake;

public sealed class TaskIntakeTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
    private static readonly Guid Id = Guid.Parse("0193b1c0-0000-7000-8000-000000000001");

    public static TheoryData<string, LlmTask> Wrong { get; } = new()
    {
        {
            "The task has both 'prompt' and 'messages'; expected one of them. Put the prompt into messages as the last one of role 'user'.",
            new LlmTask { Prompt = "x", Messages = [new("user", "y")] }
        },
        { "'messages' is empty; expected at least one of role 'user'.", new LlmTask { Messages = [] } },
        {
            "messages[1] has the role 'boss'; expected 'system', 'user' or 'assistant'.",
            new LlmTask { Messages = [new("user", "x"), new("boss", "y")] }
        },
        { "messages[0] has no 'content'; expected its text.", new LlmTask { Messages = [new("user", null!)] } },
        {
            "messages[0] contains the character U+0000, so it is binary data and not text. Extract its text first.",
            new LlmTask { Prompt = "a\0b" }
        },
        { "The prompt is empty; expected a question or an instruction.", new LlmTask { Prompt = " \n" } },
        {
            "No message of role 'user' has any text; expected a question or an instruction.",
            new LlmTask { Messages = [new("system", "be brief")] }
        },
        {
            "The priority 'urgent' is unknown; expected 'interactive', 'normal' or 'batch'.",
            new LlmTask { Prompt = "x", Priority = "urgent" }
        },
        {
            "The complexity 'hard' is unknown; expected 'low', 'medium' or 'high', or leave it out and it is classified.",
            new LlmTask { Prompt = "x", Complexity = "hard" }
        },
        { "maxOutputTokens is 0; expected 1 to 1,000,000.", new LlmTask { Prompt = "x", MaxOutputTokens = 0 } },
        {
            "The deadline 2026-11-21 11:00:00 UTC has passed already; expected a time in the future.",
            new LlmTask { Prompt = "x", Deadline = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.FromHours(1)) }
        },
        { "webhookUrl is 'ftp://x'; expected an absolute http or https address.", new LlmTask { Prompt = "x", WebhookUrl = "ftp://x" } },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_wrong_is_said_in_a_sentence(string sentence, LlmTask task) =>
        Assert.Equal(sentence, TaskIntake.Read(task, Id, tenant: null, Noon).Refusal);

    [Fact]
    public void A_prompt_above_every_context_is_refused_before_it_is_counted() =>
        Assert.StartsWith("The prompt has 20,000,001 characters",
            TaskIntake.Read(new LlmTask { Prompt = new string('x', 20_000_001) }, Id, null, Noon).Refusal, StringComparison.Ordinal);

    [Fact]
    public void Without_a_question_there_is_nothing_to_refuse_and_the_message_is_unreadable() =>
        Assert.Contains("neither 'prompt' nor 'messages'",
            Assert.Throws<UnreadableMessageException>(() => TaskIntake.Read(new LlmTask { Kind = "code" }, Id, null, Noon)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_task_becomes_a_row_with_its_values_cleaned_and_its_defaults()
    {
        var taken = TaskIntake.Read(new LlmTask { Prompt = "Why?", Kind = " Code\0 ", Complexity = "HIGH", Tenant = new string('t', 300) },
            Id, tenant: null, Noon);

        Assert.Null(taken.Refusal);
        Assert.Equal((Id, "code", "high", Priorities.Normal, 1024, 200, Noon), (taken.Row.CorrelationId, taken.Row.Kind,
            taken.Row.Complexity, taken.Row.Priority, taken.Row.MaxOutputTokens, taken.Row.Tenant.Length, taken.Row.SubmittedAt));
        Assert.Equal([new LlmMessage("user", "Why?")], TaskIntake.ReadPrompt(taken.Prompt));
    }

    [Fact]
    public void The_tenant_of_the_door_is_the_tenant_whatever_the_message_says()
    {
        Assert.Equal("acme", TaskIntake.Read(new LlmTask { Prompt = "x", Tenant = "other" }, Id, "acme", Noon).Row.Tenant);
        Assert.Equal("default", TaskIntake.Read(new LlmTask { Prompt = "x", Tenant = "  " }, Id, null, Noon).Row.Tenant);
    }

    [Fact]
    public void Labels_with_U_0000_are_kept_as_they_came_because_JSON_writes_it_as_an_escape() =>
        Assert.Equal("{\"a\":\"x\\u0000y\"}", TaskIntake.Read(
            new LlmTask { Prompt = "x", Metadata = new Dictionary<string, string> { ["a"] = "x\0y" } }, Id, null, Noon).Row.Metadata);

    // ---- Summaries ----

    public static TheoryData<string, SummarizePages> WrongPages { get; } = new()
    {
        { "'pages' is empty; expected at least one page.", new SummarizePages { Pages = [] } },
        {
            "The priority 'urgent' is unknown; expected 'interactive', 'normal' or 'batch'.",
            new SummarizePages { Pages = [new() { Text = "x" }], Priority = "urgent" }
        },
        {
            "The deadline 2026-11-21 11:00:00 UTC has passed already; expected a time in the future.",
            new SummarizePages { Pages = [new() { Text = "x" }], Deadline = new DateTimeOffset(2026, 11, 21, 11, 0, 0, TimeSpan.Zero) }
        },
        {
            "The question has 10,001 characters; at most 10,000 are taken. What is to be read belongs into the pages.",
            new SummarizePages { Pages = [new() { Text = "x" }], Question = new string('?', 10_001) }
        },
        {
            "None of the 2 pages can be read. The first: Page 1 has neither 'text' nor 'html'; expected one of them.",
            new SummarizePages { Pages = [new(), new() { Text = " " }] }
        },
        {
            "There are 20,001 pages; at most 20,000 are taken at once. Hand them in as several summaries.",
            new SummarizePages { Pages = [.. Enumerable.Repeat(new PageContent { Text = "x" }, 20_001)] }
        },
    };

    [Theory]
    [MemberData(nameof(WrongPages))]
    public void What_is_wrong_with_a_set_of_pages_is_said_in_a_sentence(string sentence, SummarizePages request) =>
        Assert.Equal(sentence, SummaryIntake.Read(request, Id, null, Noon).Refusal);

    [Fact]
    public void Without_pages_the_message_is_unreadable() =>
        Assert.Contains("no 'pages'",
            Assert.Throws<UnreadableMessageException>(() => SummaryIntake.Read(new SummarizePages(), Id, null, Noon)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_bad_page_fails_alone()
    {
        var taken = SummaryIntake.Read(new SummarizePages { Pages = [new() { Text = "a\0b" }, new() { Text = "fine" }] }, Id, null, Noon);

        Assert.Null(taken.Refusal);
        Assert.Equal(["page/1", "page/2"], taken.Pages.Select(p => p.Part));
        Assert.Equal("Page 1 contains the character U+0000, so it is binary data and not text. Extract its text first.",
            SummaryIntake.WhatIsWrong(new PageContent { Text = "a\0b" }, 1));
        Assert.Equal("Page 2 has both 'text' and 'html'; expected one of them.",
            SummaryIntake.WhatIsWrong(new PageContent { Text = "a", Html = "b" }, 2));
        Assert.Equal("Page 3 is empty; expected its text.", SummaryIntake.WhatIsWrong(new PageContent { Html = " " }, 3));
    }

    [Fact]
    public void Pages_wait_as_batch_work_unless_somebody_says_otherwise()
    {
        Assert.Equal(Priorities.Batch,
            SummaryIntake.Read(new SummarizePages { Pages = [new() { Text = "x" }] }, Id, null, Noon).Row.Priority);
        Assert.Equal(Priorities.Interactive, SummaryIntake.Read(
            new SummarizePages { Pages = [new() { Text = "x" }], Priority = "interactive" }, Id, null, Noon).Row.Priority);
    }
}
