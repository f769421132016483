using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>
/// What every task may meet besides its provider: an answer, a refusal at the door, its owner, its deadline, its own message again.
/// </summary>
public sealed class AnswerTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly TestModel First = new("first");
    private static readonly string[] OpenStates =
    [
        TaskStates.Submitted, TaskStates.Classifying, TaskStates.Extracting, TaskStates.Calling, TaskStates.Critiquing, TaskStates.Revising,
        TaskStates.WaitingForCapacity, TaskStates.WaitingForBudget, TaskStates.WaitingToRetry,
    ];

    [Fact]
    public async Task A_task_is_answered_recorded_and_settled()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);

        var id = await queue.Publish(new LlmTask
        {
            Prompt = "Why is the sky blue?", Kind = "analysis", Complexity = "low", MaxOutputTokens = 50, Tenant = "acme",
            Metadata = new Dictionary<string, string> { ["page"] = "7" },
        });
        var task = await queue.InState(id, TaskStates.Completed);
        var told = await queue.Event<LlmTaskCompleted>(e => e.TaskId == id);

        var call = Assert.Single(await simulator.Log());
        var answer = await queue.Answer(id);
        Assert.StartsWith($"[answer to #{call.PromptHash}]", answer, StringComparison.Ordinal);
        Assert.Equal(("groq:first", 1, 0, (long)call.PromptTokens, (long)call.CompletionTokens, false),
            (task.AnsweredModel, task.Attempt, task.Faults, task.InputTokens, task.OutputTokens, task.CostUnknown));
        Assert.Equal((call.PromptTokens + call.CompletionTokens) / 1_000_000m, task.CostUsd);
        var attempt = Assert.Single(await queue.Attempts(id));
        Assert.Equal(("groq:first", "groq-1", "answered", task.InputTokens, task.OutputTokens, (decimal?)task.CostUsd),
            (attempt.Model, attempt.KeyAlias, attempt.Outcome, attempt.InputTokens, attempt.OutputTokens, attempt.CostUsd));
        Assert.NotNull(attempt.Worker);
        Assert.Equal((16, 16), (attempt.PromptHash!.Length, attempt.OutputHash!.Length));
        Assert.Equal(["Submitted", "Calling", "Completed"], (await queue.History(id)).Select(h => h.Entry));
        Assert.Equal(("acme", answer, "groq:first", new LlmUsage(task.InputTokens, task.OutputTokens), (decimal?)task.CostUsd, 1, "7"),
            (told.Tenant, told.Output, told.Model, told.Usage, told.CostUsd, told.Attempts, told.Metadata!["page"]));
        await queue.AssertLedgerIsSettled();
        Assert.Equal(task.CostUsd, (await queue.Budget()).SpentUsd);
        await Eventually.True("the announcement's row is gone", TimeSpan.FromSeconds(10),
            async () => await queue.Scalar<long>("select count(*) from announcements") == 0);
    }

    [Fact]
    public async Task Every_task_gets_the_answer_to_its_own_question()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);

        var ids = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => queue.Ask($"Question number {i}: why?")));
        foreach (var id in ids)
            await queue.InState(id, TaskStates.Completed);

        var log = await simulator.Log();
        var attempts = await queue.Read(db => Task.FromResult(db.Attempts.ToList()));
        var answers = await queue.Read(db => Task.FromResult(db.Payloads.Where(p => p.Part == PayloadRow.Answer).ToList()));
        Assert.Equal(60, log.Count);
        Assert.Equal(60, attempts.Count);
        // The prompt's hash that the simulator answers with is that of the question alone.
        foreach (var (id, i) in ids.Select((id, i) => (id, i)))
            Assert.StartsWith($"[answer to #{Hash($"Question number {i}: why?")}]", answers.Single(a => a.SubjectId == id).Content,
                StringComparison.Ordinal);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_message_that_comes_again_changes_nothing()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        var id = Guid.CreateVersion7();

        await Task.WhenAll(Enumerable.Range(0, 8)
            .Select(_ => queue.Publish(new LlmTask { Id = id, Prompt = "Once?", Kind = "analysis", Complexity = "low" })));
        await queue.InState(id, TaskStates.Completed);
        await queue.Publish(new LlmTask { Id = id, Prompt = "Another question under the same id", Kind = "analysis", Complexity = "low" });
        var other = await queue.Ask();
        await queue.InState(other, TaskStates.Completed);

        Assert.Equal(2, (await simulator.Log()).Count);
        Assert.Single(await queue.Attempts(id));
        Assert.Equal(["Submitted", "Calling", "Completed"], (await queue.History(id)).Select(h => h.Entry));
        Assert.Single(queue.Events<LlmTaskCompleted>(), e => e.TaskId == id);
    }

    public static TheoryData<LlmTask, string> Impossible { get; } = new()
    {
        { new LlmTask { Prompt = "", Kind = "code", Complexity = "low" }, "The prompt is empty; expected a question or an instruction." },
        {
            new LlmTask { Prompt = "Why?", Model = "groq:secnd" },
            "'groq:secnd' is not in the catalogue; known models of groq are first, second; did you mean 'groq:second'?"
        },
        { new LlmTask { Prompt = "Why?", Model = "openai:gpt" }, "'openai:gpt' is not in the catalogue" },
        {
            new LlmTask { Prompt = "Why?", MaxOutputTokens = 10_001, Kind = "code", Complexity = "low" },
            "'maxOutputTokens' is 10001; the longest answer that can be had here is 10000 tokens, "
                + "from groq:first: ask for no more than that."
        },
        {
            new LlmTask
            {
                Messages =
                [
                    new("system", string.Concat(Enumerable.Repeat("Every word of these instructions counts. ", 20_000))),
                    new("user", "Why?"),
                ], Kind = "code", Complexity = "low",
            }, "the largest context that can be had here is 100000 tokens"
        },
        { new LlmTask { Prompt = "a\0b", Kind = "code", Complexity = "low" }, "binary data and not text" },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public async Task What_can_never_run_is_rejected_with_a_sentence_and_no_call(LlmTask task, string sentence)
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, new TestModel("first"), new TestModel("second"));

        var id = await queue.Publish(task);
        var row = await queue.InState(id, TaskStates.Rejected);

        Assert.Contains(sentence, row.FailureReason, StringComparison.Ordinal);
        Assert.Equal(row.FailureReason, (await queue.Event<LlmTaskRejected>(e => e.TaskId == id)).Reason);
        Assert.Empty(await simulator.Log());
        Assert.Empty(await queue.Attempts(id));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_call_that_no_minute_can_hold_is_rejected_before_it_is_made()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, new TestModel("first") { Tpm = 1000 });

        var row = await queue.InState(await queue.Ask(maxOutputTokens: 2000), TaskStates.Rejected);

        Assert.Contains("1000 tokens, of groq:first, so the call could never be made", row.FailureReason, StringComparison.Ordinal);
        Assert.Empty(await simulator.Log());
    }

    [Fact]
    public async Task A_task_that_nobody_has_described_is_classified_by_the_small_model_first()
    {
        var simulator = await simulators.Fresh();
        var catalogue = TestCatalogue.Of(First, new TestModel("small"))
            .Replace("\"routes\"", "\"classifier\":[\"groq:small\"],\"routes\"", StringComparison.Ordinal);
        await using var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = catalogue, ProviderUrl = simulator.BaseUrl });

        var id = await queue.Publish(new LlmTask { Prompt = "Hm, and then?" });
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal(["small", "first"], (await simulator.Log()).Select(c => c.Model));
        Assert.NotNull(task.Kind);
        Assert.Equal(["Submitted", "Classifying", "Classified", "Calling", "Completed"], (await queue.History(id)).Select(h => h.Entry));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_classifier_that_gives_no_answer_holds_nobody_up()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { status = 503 }, match: new { model = "small" });
        var catalogue = TestCatalogue.Of(First, new TestModel("small"))
            .Replace("\"routes\"", "\"classifier\":[\"groq:small\"],\"routes\"", StringComparison.Ordinal);
        await using var queue = await QueueUnderTest.Start(new QueueSetup { Catalogue = catalogue, ProviderUrl = simulator.BaseUrl });

        var id = await queue.Publish(new LlmTask { Prompt = "Hm, and then?" });
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal(("groq:first", 0), (task.AnsweredModel, task.Faults));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Its_owner_may_cancel_a_task_in_every_open_state()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { hang = true });
        await using var queue = await Start(simulator, new TestModel("first"), new TestModel("second"));
        var ids = new Dictionary<string, Guid>(StringComparer.Ordinal);
        foreach (var state in OpenStates)
        {
            var row = await StatedRows.Insert(queue, state);
            ids[state] = row.CorrelationId;
        }

        var calling = await queue.Ask("A real call that hangs");
        await queue.InState(calling, TaskStates.Calling);
        await Eventually.True("it hangs at the provider", TimeSpan.FromSeconds(10),
            async () => (await simulator.Statistics()).InFlight == 1);
        await queue.Send([.. ids.Values.Append(calling).Select(id => new CancelTask(id))]);

        foreach (var id in ids.Values.Append(calling))
        {
            await queue.InState(id, TaskStates.Canceled);
            await queue.Event<LlmTaskCanceled>(e => e.TaskId == id);
        }

        var task = (await queue.Task(calling))!;
        Assert.Equal((0L, (decimal?)null, (string?)null), (task.Reservation.Tokens, task.Reservation.Usd, task.Reservation.Bucket));
        Assert.Equal("canceled", Assert.Single(await queue.Attempts(calling)).Outcome);
        // The answer comes too late, and changes nothing.
        await simulator.Reset();
        await queue.InState(await queue.Ask("Another"), TaskStates.Completed);
        Assert.Equal(TaskStates.Canceled, (await queue.Task(calling))!.State);
        Assert.Null(await queue.Answer(calling));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_deadline_that_passes_while_it_waits_ends_it_as_expired()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 60, window = "RPM" } });
        var setup = new QueueSetup { Catalogue = TestCatalogue.Of(First), ProviderUrl = simulator.BaseUrl, Upkeep = true };
        await using var queue = await QueueUnderTest.Start(setup);
        var deadline = setup.Clock.GetUtcNow().AddSeconds(1.5);

        var id = await queue.Publish(new LlmTask { Prompt = "Soon!", Kind = "analysis", Complexity = "low", Deadline = deadline });
        await queue.InState(id, TaskStates.WaitingForCapacity);
        var task = await queue.InState(id, TaskStates.Expired);

        Assert.InRange(task.EndedAt!.Value, deadline.UtcDateTime, deadline.UtcDateTime.AddSeconds(3));
        var told = await queue.Event<LlmTaskFailed>(e => e.TaskId == id);
        Assert.Equal(("expired", task.FailureReason), (told.Code, told.Reason));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_deadline_that_passes_while_it_is_called_lets_the_paid_answer_come()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { delayMs = 300 });

        var id = await queue.Ask();
        await queue.InState(id, TaskStates.Calling);
        await queue.Send(new DeadlinePassed(id));

        await queue.InState(id, TaskStates.Completed);
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, params TestModel[] models) =>
        QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(models.Length == 0 ? [First] : models), ProviderUrl = simulator.BaseUrl });

    private static string Hash(string text) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)))[..12];
}
