using System.Text.Json;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Tests.Api;

public sealed class TasksApiTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    [Fact]
    public async Task Takes_a_task_and_shows_it_where_its_link_says()
    {
        var response = api.Anna.PostText("/v1/tasks", """{ "prompt": "Why is the sky blue?", "kind": "Analysis", "priority": "interactive", "metadata": { "ticket": "7" }, "colour": "ignored" }""");
        var accepted = await response.Body(202);
        Assert.Equal("Submitted", accepted.Text("state"));
        Assert.Equal($"/v1/tasks/{accepted.Text("id")}", accepted.GetProperty("links").Text("self"));
        Assert.Equal(accepted.GetProperty("links").Text("self"), (await response).Headers.Location!.ToString());

        var task = await api.Anna.Get(accepted.GetProperty("links").Text("self")).Body(200);
        Assert.Equal(("Submitted", "analysis", "interactive", "anna"),
            (task.Text("state"), task.Text("kind"), task.Text("priority"), task.Text("tenant")));
        Assert.Equal("7", task.GetProperty("metadata").Text("ticket"));
        Assert.Equal("Submitted", task.GetProperty("history")[0].Text("entry"));
        Assert.Equal(0, task.GetProperty("attempts").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, task.GetProperty("output").ValueKind);
    }

    [Theory]
    [InlineData("", "The body is empty")]
    [InlineData("{\n  \"prompt\": oh }", "line 2, position 13")]
    [InlineData("7", "Found a number; expected an object")]
    [InlineData("null", "Found null; expected an object")]
    [InlineData("{}", "neither 'prompt' nor 'messages'")]
    [InlineData("""{ "promt": "Why?" }""", "did you mean 'prompt'?")]
    [InlineData("""{ "prompt": "  " }""", "The prompt is empty")]
    [InlineData("""{ "prompt": "Why?", "messages": [] }""", "both 'prompt' and 'messages'")]
    [InlineData("""{ "prompt": 7 }""", "'prompt' is a number; expected a string.")]
    [InlineData("""{ "prompt": "Why?", "maxOutputTokens": "12" }""", "'maxOutputTokens' is a string; expected a number.")]
    [InlineData("""{ "prompt": "Why?", "maxOutputTokens": 99999999999 }""", "'maxOutputTokens' is 99999999999; expected a whole number")]
    [InlineData("""{ "prompt": "Why?", "maxOutputTokens": 0 }""", "expected 1 to 1,000,000")]
    [InlineData("""{ "prompt": "Why?", "id": "seven" }""", "'id' is 'seven'; expected a UUID")]
    [InlineData("""{ "prompt": "Why?", "deadline": "tomorrow" }""", "'deadline' is 'tomorrow'; expected a time")]
    [InlineData("""{ "prompt": "Why?", "highStakes": "yes" }""", "'highStakes' is a string; expected true or false.")]
    [InlineData("""{ "prompt": "Why?", "metadata": { "a.b": 7 } }""", "is a number; expected a string.")]
    [InlineData("""{ "messages": [ { "role": "user", "content": ["Why?"] } ] }""",
        "messages[0].content[0] is a string; expected a part such as")]
    [InlineData("""{ "messages": { "role": "user" } }""", "'messages' is an object; expected a list.")]
    [InlineData("""{ "messages": [ null ] }""", "messages[0] has the role ''")]
    [InlineData("""{ "prompt": "Why?", "priority": "soon" }""", "The priority 'soon' is unknown")]
    [InlineData("""{ "prompt": "Why?", "model": "groq:smal" }""", "did you mean 'groq:small'?")]
    [InlineData("""{ "prompt": "Why?", "model": "large" }""", "did you mean 'groq:large'?")]
    [InlineData("""{ "prompt": "Why?", "model": "groq:gpt-9" }""", "known models of groq are small, large")]
    [InlineData("""{ "prompt": "Why?", "model": "acme:gpt-9" }""", "known providers are groq")]
    [InlineData("""{ "prompt": "half a pair: \ud83d" }""", "'prompt' is not valid Unicode")]
    [InlineData("[]", "The array is empty")]
    public async Task Refuses_with_a_sentence_that_names_what_is_wrong(string body, string sentence) =>
        Assert.Contains(sentence, await api.Anna.PostText("/v1/tasks", body).Problem(400), StringComparison.Ordinal);

    [Fact]
    public async Task Takes_a_prompt_that_can_be_read_in_parts_and_refuses_what_would_take_too_many()
    {
        await api.Anna.PostText("/v1/tasks", $$"""{ "prompt": "{{new string('x', 700_000)}}" }""").Body(202);
        var refused = await api.Anna.PostText("/v1/tasks", $$"""{ "prompt": "{{new string('x', 3_200_000)}}", "model": "groq:small" }""")
            .Problem(400);
        Assert.Contains("the context of 'groq:small' is 8,000", refused, StringComparison.Ordinal);
        Assert.Contains("a prompt is read in at most 64 parts", refused, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Takes_an_array_whole_or_not_at_all()
    {
        var before = (await api.Ben.Get("/v1/tasks?limit=500").Body(200)).GetProperty("items").GetArrayLength();
        var refused = await api.Ben.PostText("/v1/tasks",
            """[ { "prompt": "One" }, { "promt": "Two" }, { "prompt": "Three", "priority": "soon" } ]""")
            .Body(400);
        Assert.Equal([1, 2], refused.GetProperty("errors").EnumerateArray().Select(e => e.GetProperty("index").GetInt32()));
        Assert.Contains("2 of 3 tasks cannot be taken, so none was", refused.Text("detail"), StringComparison.Ordinal);
        Assert.Equal(before, (await api.Ben.Get("/v1/tasks?limit=500").Body(200)).GetProperty("items").GetArrayLength());

        var accepted = await api.Ben.PostText("/v1/tasks", """[ { "prompt": "One" }, { "prompt": "Two" } ]""").Body(202);
        Assert.Equal(2, accepted.EnumerateArray().Select(a => a.Text("id")).Distinct().Count());
    }

    [Fact]
    public async Task Takes_ten_thousand_tasks_at_once_and_no_more()
    {
        Task<HttpResponseMessage> Post(int count) =>
            api.Anna.PostText("/v1/tasks",
                $"[{string.Join(',', Enumerable.Range(1, count).Select(i => $$"""{"prompt":"Task {{i}}"}"""))}]");
        Assert.Equal(10_000, (await Post(10_000).Body(202)).GetArrayLength());
        Assert.Contains("10,001 tasks; at most 10,000", await Post(10_001).Problem(400), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Says_that_a_body_is_too_large()
    {
        using var huge = new StringContent(new string(' ', 101 << 20));
        Assert.Contains("larger than 100 MB",
            await api.Anna.PostAsync("/v1/tasks", huge, TestContext.Current.CancellationToken).Problem(413), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Does_nothing_twice_for_an_id_or_a_key_that_comes_again()
    {
        var id = Guid.CreateVersion7();
        for (var i = 0; i < 2; i++)
            Assert.Equal(id, (
                await api.Anna.PostText("/v1/tasks", $$"""[{ "id": "{{id}}", "prompt": "Once" }, { "id": "{{id}}", "prompt": "Twice" }]""")
                    .Body(202))[1].GetProperty("id").GetGuid());
        Assert.Equal(1, (await api.Anna.Get($"/v1/tasks/{id}").Body(200)).GetProperty("history").GetArrayLength());

        var keyed = await Task.WhenAll(Enumerable.Range(0, 5)
            .Select(_ => api.Anna.PostText("/v1/tasks", """{ "prompt": "Once" }""", ("Idempotency-Key", "order 7")).Body(202)));
        Assert.Single(keyed.Select(k => k.Text("id")).Distinct());
        Assert.NotEqual(keyed[0].Text("id"),
            (await api.Ben.PostText("/v1/tasks", """{ "prompt": "Once" }""", ("Idempotency-Key", "order 7")).Body(202)).Text("id"));
        Assert.Contains("0 characters",
            await api.Anna.PostText("/v1/tasks", """{ "prompt": "Once" }""", ("Idempotency-Key", " ")).Problem(400),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_an_id_that_comes_again_with_its_present_state()
    {
        var row = Row("anna", TaskStates.Completed);
        await api.Write(row);
        Assert.Equal("Completed",
            (await api.Anna.PostText("/v1/tasks", $$"""{ "id": "{{row.CorrelationId}}", "prompt": "Again" }""").Body(202)).Text("state"));
        Assert.Contains("belongs to work of somebody else",
            await api.Ben.PostText("/v1/tasks", $$"""{ "id": "{{row.CorrelationId}}", "prompt": "Again" }""").Problem(409),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shows_a_conversation_to_its_tenant_and_nothing_to_another_of_the_same_name()
    {
        foreach (var prompt in new[] { "First?", "Second?" })
            await api.Anna.PostText("/v1/tasks", $$"""{ "prompt": "{{prompt}}", "conversation": "plans/2027" }""").Body(202);

        var conversation = await api.Anna.Get("/v1/conversations/plans/2027").Body(200);

        Assert.Equal(["First?", "Second?"], conversation.GetProperty("turns").EnumerateArray().Select(t => t.Text("asked")));
        Assert.Equal((2, 0m), (conversation.GetProperty("turnCount").GetInt32(), conversation.GetProperty("costUsd").GetDecimal()));
        await api.Ben.Get("/v1/conversations/plans/2027").Problem(404);
    }

    [Fact]
    public async Task Takes_images_as_OpenAI_writes_them_and_refuses_what_is_none()
    {
        static string Task(string url) => $$"""{ "messages": [ { "role": "user", "content": [ { "type": "text", "text": "What is it?" }, { "type": "image_url", "image_url": { "url": "{{url}}" } } ] } ] }""";

        await api.Anna.PostText("/v1/tasks", Task("https://example.com/a.png")).Body(202);
        Assert.Contains("expected an https address", await api.Anna.PostText("/v1/tasks", Task("http://10.0.0.1/a.png")).Problem(400),
            StringComparison.Ordinal);
        Assert.Contains("'input_audio'; expected 'text' or 'image_url'",
            await api.Anna.PostText("/v1/tasks",
                Task("").Replace("image_url\", \"image", "input_audio\", \"image", StringComparison.Ordinal))
                .Problem(400),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Says_why_a_task_waits_and_until_when_and_what_was_tried()
    {
        var now = new DateTime(2026, 11, 21, 9, 0, 0, DateTimeKind.Utc);
        var row = Row("anna", TaskStates.WaitingForCapacity);
        row.Wait = new TaskWait
        {
            For = "capacity", Reason = "groq:small of groq-1 is closed", Since = now, ExpectedAt = now.AddSeconds(7),
        };
        row.Route = new TaskRoute { Chain = ModelChain.Read("groq:small groq:large") };
        (row.CostUsd, row.CostUnknown, row.InputTokens) = (0.5m, true, 12);
        await api.Write(row,
            new AttemptRow
            {
                TaskId = row.CorrelationId, Number = 1, Model = "groq:small", KeyAlias = "groq-1", Why = "any/any", CreatedAt = now,
                StartedAt = now, EndedAt = now.AddSeconds(1), Outcome = "throttled", LatencyMs = 41, InputTokens = 0, CostUsd = 0,
            },
            new HistoryRow
            {
                SubjectId = row.CorrelationId, Version = 1, At = now, Entry = "Deferred", State = row.State, Reason = row.Wait.Reason,
            });
        var task = await api.Anna.Get($"/v1/tasks/{row.CorrelationId}").Body(200);
        Assert.Equal(("capacity", row.Wait.Reason, now.AddSeconds(7)),
            (task.Text("waitingFor"), task.Text("waitReason"), task.GetProperty("expectedAt").GetDateTime()));
        Assert.Equal((JsonValueKind.Null, true), (task.GetProperty("costUsd").ValueKind, task.GetProperty("costUnknown").GetBoolean()));
        Assert.Equal("""{"number":1,"model":"groq:small","modelVersion":null,"keyAlias":"groq-1","outcome":"throttled","detail":null,"inputTokens":0,"outputTokens":null,"costUsd":0,"ms":41,"why":"any/any","startedAt":"2026-11-21T09:00:00Z","endedAt":"2026-11-21T09:00:01Z"}""",
            JsonSerializer.Serialize(task.GetProperty("attempts")[0]));
        Assert.Equal("Deferred", task.GetProperty("history")[0].Text("entry"));
    }

    [Fact]
    public async Task Shows_the_answer_and_its_cost()
    {
        var row = Row("anna", TaskStates.Completed);
        (row.AnsweredModel, row.CostUsd, row.InputTokens, row.OutputTokens) = ("groq:small", 0.000123m, 10, 20);
        await api.Write(row,
            new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Answer, Content = "Because it's \"blue\" – für alle." });
        var task = await api.Anna.Get($"/v1/tasks/{row.CorrelationId}").Body(200);
        Assert.Equal(("groq:small", "Because it's \"blue\" – für alle."), (task.Text("model"), task.Text("output")));
        Assert.Equal("""{"inputTokens":10,"outputTokens":20} 0.000123""",
            $"{task.GetProperty("usage").GetRawText()} {task.GetProperty("costUsd").GetRawText()}");
    }

    [Fact]
    public async Task Lists_page_by_page_the_newest_first_and_only_what_was_asked_for()
    {
        var rows = Enumerable.Range(0, 5).Select(_ => Row("ben", TaskStates.Failed)).ToArray();
        rows[1].Kind = "code";
        await api.Write([.. rows]);
        var (seen, next) = (new List<Guid>(), "");
        do
        {
            var page = await api.Ben.Get($"/v1/tasks?state=failed&limit=2{next}").Body(200);
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("id").GetGuid()));
            next = page.GetProperty("next").GetString() is { } id ? $"&after={id}" : "";
        }
        while (next.Length > 0);
        Assert.Equal(rows.Select(r => r.CorrelationId).OrderByDescending(id => id.ToString(), StringComparer.Ordinal), seen);
        Assert.Equal(rows[1].CorrelationId,
            (await api.Ben.Get("/v1/tasks?kind=Code&tenant=ben").Body(200)).GetProperty("items")[0].GetProperty("id").GetGuid());
    }

    [Theory]
    [InlineData("state=Waiting", 400, "expected one of Submitted, Classifying, Extracting, WaitingForCapacity")]
    [InlineData("stat=Failed", 400, "did you mean 'state'?")]
    [InlineData("limit=0", 400, "expected 1 to 500")]
    [InlineData("after=seven", 400, "'after' is 'seven'")]
    [InlineData("tenant=ben", 403, "may not list the tasks of 'ben'")]
    public async Task Refuses_a_list_that_cannot_be_meant(string query, int status, string sentence) =>
        Assert.Contains(sentence, await api.Anna.Get($"/v1/tasks?{query}").Problem(status), StringComparison.Ordinal);

    [Fact]
    public async Task Asks_for_the_end_of_a_task_that_has_not_ended()
    {
        var (open, ended) = (Row("anna", TaskStates.WaitingForBudget), Row("anna", TaskStates.Completed));
        await api.Write(open, ended);
        Assert.Equal("WaitingForBudget", (await api.Anna.Delete($"/v1/tasks/{open.CorrelationId}").Body(202)).Text("state"));
        await api.Sent<CancelTask>(c => c.TaskId == open.CorrelationId);
        Assert.Contains("has ended already, in the state 'Completed'",
            await api.Anna.Delete($"/v1/tasks/{ended.CorrelationId}").Problem(409), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Knows_no_difference_between_nobodys_id_another_tenants_and_none_at_all()
    {
        var row = Row("ben", TaskStates.Submitted);
        await api.Write(row);
        var ways = new[] { row.CorrelationId.ToString(), Guid.NewGuid().ToString(), "seven" };
        var details = new List<string>();
        foreach (var id in ways)
        {
            details.Add(await api.Anna.Get($"/v1/tasks/{id}").Problem(404));
            details.Add(await api.Anna.Delete($"/v1/tasks/{id}").Problem(404));
        }

        Assert.Single(details.Distinct());
        Assert.Equal("Submitted", (await api.Ben.Get($"/v1/tasks/{row.CorrelationId}").Body(200)).Text("state"));
    }

    private static TaskRow Row(string tenant, string state)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new TaskRow
        {
            CorrelationId = Guid.CreateVersion7(), Version = 1, Tenant = tenant, State = state, SubmittedAt = now, UpdatedAt = now,
            CommandSentAt = now, EndedAt = TaskStates.Ends.Contains(state) ? now : null,
        };
    }
}
