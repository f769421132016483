using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>Everything else a provider may do to a call, as the whole queue answers it.</summary>
public sealed class OutcomeTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly TestModel[] Two = [new("first"), new("second")];

    public static TheoryData<string, object, string> LeaveTheModel { get; } = new()
    {
        {
            "too large",
            new
            {
                status = 413, body = new
                {
                    error = new
                    {
                        message = "Request too large for model `first` in organization `org_1` on tokens per minute (TPM): "
                            + "Limit 60, Requested 99, please reduce your message size and try again.",
                        type = "tokens", code = "rate_limit_exceeded",
                    },
                },
            }, "the request is too large for groq:first"
        },
        {
            "context exceeded",
            new
            {
                status = 400, body = new
                {
                    error = new { message = "Please reduce the length of the messages or completion.", code = "context_length_exceeded" },
                },
            }, "the prompt exceeds the context of groq:first"
        },
        { "model gone", new { modelGone = true }, "groq:first is gone" },
        { "content refused", new { refused = true }, "groq:first refused the content" },
    };

    [Theory]
    [MemberData(nameof(LeaveTheModel))]
    public async Task A_model_that_will_not_do_is_left_for_the_next_of_the_chain(string word, object fault, string reason)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(fault, match: new { model = "first" });
        await using var queue = await Start(simulator, Two);

        var id = await queue.Ask();
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal(("groq:second", 0, 2), (task.AnsweredModel, task.Faults, task.Attempt));
        Assert.Equal([word, "answered"], (await queue.Attempts(id)).Select(a => a.Outcome));
        Assert.Contains(await queue.History(id), h => h.Reason?.StartsWith(reason, StringComparison.Ordinal) == true);
        Assert.Equal("groq:second", (await queue.Event<LlmTaskDowngraded>(e => e.TaskId == id)).To);
        await queue.AssertLedgerIsSettled();
    }

    [Theory]
    [MemberData(nameof(LeaveTheModel))]
    public async Task With_no_model_left_it_fails_with_what_the_last_one_said(string word, object fault, string reason)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(fault);
        await using var queue = await Start(simulator, new TestModel("first"));

        var id = await queue.Ask();
        var task = await queue.InState(id, TaskStates.Failed);

        Assert.Contains(reason, task.FailureReason, StringComparison.Ordinal);
        Assert.Equal(word, Assert.Single(await queue.Attempts(id)).Outcome);
        Assert.Equal(("failed", task.FailureReason),
            ((await queue.Event<LlmTaskFailed>(e => e.TaskId == id)).Code, queue.Events<LlmTaskFailed>().Single().Reason));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_model_that_is_gone_is_not_asked_again_by_anyone()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { modelGone = true }, match: new { model = "first" });
        await using var queue = await Start(simulator, Two);

        await queue.InState(await queue.Ask(), TaskStates.Completed);
        await queue.InState(await queue.Ask("And another?"), TaskStates.Completed);

        Assert.Equal(["first", "second", "second"], (await simulator.Log()).Select(c => c.Model));
        Assert.Contains("the model is gone", (await queue.Buckets()).Single(b => b.Model == "first").DisabledReason!.ToString(),
            StringComparison.Ordinal);
    }

    public static TheoryData<string, object> Faults { get; } = new()
    {
        { "malformed answer", new { empty = true } },
        {
            "malformed answer", new
            {
                status = 400, body =
                    new { error = new { message = "Failed to generate JSON. Please adjust your prompt.", code = "json_validate_failed" } },
            }
        },
    };

    public static TheoryData<string, object> ProvidersFaults { get; } = new()
    {
        { "malformed answer", new { half = true } }, // half a body, and then the connection is reset
        { "malformed answer", new { garbage = true } },
        { "malformed answer", new { reset = true } }, // after the request was sent: it may be charged
        { "unreachable", new { status = 503, body = "busy" } },
        { "timed out", new { hang = true } },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    [MemberData(nameof(ProvidersFaults))]
    public async Task A_fault_is_counted_and_tried_again_after_a_pause(string word, object fault)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(fault, times: 2);
        await using var queue = await Start(simulator, new TestModel("first"));

        var id = await queue.Ask();
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal((2, 3), (task.Faults, task.Attempt));
        Assert.Equal([word, word, "answered"], (await queue.Attempts(id)).Select(a => a.Outcome));
        Assert.Equal(2, queue.Events<LlmTaskDeferred>().Count(e => e is { WaitingFor: "retry", ExpectedAt: not null }));
        await queue.AssertLedgerIsSettled();
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Faults_without_end_end_the_task_after_as_many_as_are_allowed(string word, object fault)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(fault);
        await using var queue = await Start(simulator, new TestModel("first"));

        var id = await queue.Ask();
        var task = await queue.InState(id, TaskStates.Failed);

        Assert.Equal((3, 3), (task.Faults, task.Attempt));
        Assert.StartsWith("3 calls met a fault, the last: ", task.FailureReason, StringComparison.Ordinal);
        Assert.All(await queue.Attempts(id), a => Assert.Equal(word, a.Outcome));
        Assert.Equal(3, (await simulator.Log()).Count);
        Assert.Equal(3, (await queue.Event<LlmTaskFailed>(e => e.TaskId == id)).Attempts);
        await simulator.Reset();
        await queue.AssertLedgerIsSettled();
    }

    /// <summary>MaxFaults is 3 here.</summary>
    [Theory]
    [MemberData(nameof(ProvidersFaults))]
    public async Task A_providers_faults_end_no_task_that_has_time(string word, object fault)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(fault, times: 4);
        await using var queue = await Start(simulator, new TestModel("first"));

        var id = await queue.Ask();
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal((4, 4), (task.Faults, task.Outages));
        Assert.Equal([word, word, word, word, "answered"], (await queue.Attempts(id)).Select(a => a.Outcome));
        Assert.Contains(await queue.History(id), h => h.Reason?.EndsWith("(an outage of its provider)", StringComparison.Ordinal) == true);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task What_may_have_been_worked_on_is_counted_as_spent_and_what_never_arrived_is_not()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { reset = true }, times: 1);
        await using var queue = await Start(simulator, new TestModel("first"));

        var attempts = await queue.Attempts((await queue.InState(await queue.Ask(), TaskStates.Completed)).CorrelationId);

        Assert.Equal(attempts[0].ReservedUsd, attempts[0].CostUsd);
        await using var nobody = await QueueUnderTest.Start(
            Setup(simulator, [("org-1", "sk-key-1")], new TestModel("first")) with { ProviderUrl = "http://127.0.0.1:9/v1" });
        var id = await nobody.Ask();
        var refused = await Eventually.Found("an attempt has ended", TimeSpan.FromSeconds(10),
            async () => (await nobody.Attempts(id)).FirstOrDefault(a => a.EndedAt is not null));
        Assert.Equal(("unreachable", 0m), (refused.Outcome, refused.CostUsd));
    }

    [Fact]
    public async Task An_answer_that_reasoning_has_eaten_is_asked_for_again_with_more_allowed()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { reasoning = true }, times: 1);
        await using var queue = await Start(simulator, new TestModel("first"));

        var id = await queue.Ask(maxOutputTokens: 50);
        var task = await queue.InState(id, TaskStates.Completed);

        Assert.Equal((0, 1024), (task.Faults, task.MaxOutputTokens));
        Assert.Equal([50, 1024], (await simulator.Log()).Select(c => c.MaxTokens!.Value));
        Assert.Equal(["output spent", "answered"], (await queue.Attempts(id)).Select(a => a.Outcome));
        Assert.Contains(await queue.History(id), h => h is { Entry: "OutputSpent", Reason: var why }
            && why!.EndsWith("it is asked again with 1024 tokens", StringComparison.Ordinal));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task After_a_fault_the_next_model_is_asked_without_a_pause()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { empty = true }, match: new { model = "first" });
        await using var queue = await Start(simulator, Two);

        var task = await queue.InState(await queue.Ask(), TaskStates.Completed);

        Assert.Equal(("groq:second", 1, 2), (task.AnsweredModel, task.Faults, task.Attempt));
        Assert.Empty(queue.Events<LlmTaskDeferred>());
    }

    [Fact]
    public async Task A_bad_request_fails_at_once_because_the_same_one_will_never_be_right()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new
        {
            status = 400, body = new { error = new { message = "'messages' is not what we want", type = "invalid_request_error" } },
        });
        await using var queue = await Start(simulator, Two);

        var task = await queue.InState(await queue.Ask(), TaskStates.Failed);

        Assert.Contains("groq:first finds the request wrong: 400 'messages' is not what we want", task.FailureReason,
            StringComparison.Ordinal);
        Assert.Single(await simulator.Log());
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_refused_key_gives_way_to_the_other_key_of_its_organisation()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { keyRevoked = true }, match: new { key = "sk-key-1" });
        await using var queue = await Start(simulator, [("org-1", "sk-key-1"), ("org-1", "sk-key-2")], new TestModel("first"));

        var ids = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => queue.Ask($"Question {i}")));
        foreach (var id in ids)
            Assert.Equal(0, (await queue.InState(id, TaskStates.Completed)).Faults);

        var keys = await queue.Read(db => Task.FromResult(db.Keys.ToList()));
        Assert.Contains("401", keys.Single(k => k.Alias == "groq-1").RefusedReason, StringComparison.Ordinal);
        Assert.Null(keys.Single(k => k.Alias == "groq-2").RefusedReason);
        var log = await simulator.Log();
        // Only calls that were on their way when the first was refused may have gone through it.
        await queue.InState(await queue.Ask("One more"), TaskStates.Completed);
        Assert.Equal(log.Count + 1, (await simulator.Log()).Count);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task With_every_key_refused_it_waits_and_says_what_a_person_must_do()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { keyRevoked = true });
        var setup = Setup(simulator, [("org-1", "sk-key-1")], new TestModel("first"));
        Guid id;
        await using (var queue = await QueueUnderTest.Start(setup))
        {
            id = await queue.Ask();
            var waiting = await queue.InState(id, TaskStates.WaitingForCapacity);

            Assert.Contains("groq-1 was refused (401", waiting.Wait.Reason, StringComparison.Ordinal);
            Assert.Contains("Put a valid key into the environment and start again", waiting.Wait.Reason, StringComparison.Ordinal);
            Assert.Null(waiting.Wait.ExpectedAt);
            Assert.Single(await simulator.Log());
            setup = setup with { Database = queue.Database };
        }

        // A person has put a valid one in.
        await simulator.ClearFaults();
        await using var mended = await QueueUnderTest.Start(setup);
        Assert.Equal(0, (await mended.InState(id, TaskStates.Completed)).Faults);
        await mended.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Out_of_credit_goes_to_who_has_some_and_else_waits_with_the_reason()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { outOfCredit = true }, match: new { model = "first" });
        await using var queue = await Start(simulator, Two);

        var task = await queue.InState(await queue.Ask(), TaskStates.Completed);
        Assert.Equal(("groq:second", 0), (task.AnsweredModel, task.Faults));

        await simulator.PostFault(new { outOfCredit = true }, match: new { model = "second" });
        var waiting = await queue.InState(await queue.Ask("Another"), TaskStates.WaitingForCapacity);
        Assert.Contains("out of credit: Insufficient credits", waiting.Wait.Reason, StringComparison.Ordinal);
        Assert.Equal(0, waiting.Faults);
    }

    [Fact]
    public async Task An_unknown_price_makes_the_cost_unknown_and_never_nothing()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, new TestModel("first") { Price = null });

        var id = await queue.Ask();
        Assert.True((await queue.InState(id, TaskStates.Completed)).CostUnknown);
        Assert.Null((await queue.Event<LlmTaskCompleted>(e => e.TaskId == id)).CostUsd);
        await queue.AssertLedgerIsSettled();
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, params TestModel[] models) =>
        QueueUnderTest.Start(Setup(simulator, [("org-1", "sk-key-1")], models));

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, (string, string)[] keys, params TestModel[] models) =>
        QueueUnderTest.Start(Setup(simulator, keys, models));

    private static QueueSetup Setup(SimulatorProcess simulator, (string, string)[] keys, params TestModel[] models) => new()
    {
        Catalogue = TestCatalogue.Of(models), ProviderUrl = simulator.BaseUrl, Keys = keys,
        Options = new WorkerOptions
        {
            CallTimeout = TimeSpan.FromMilliseconds(400), FirstBackOff = TimeSpan.FromMilliseconds(20), MaxFaults = 3,
        },
    };
}
