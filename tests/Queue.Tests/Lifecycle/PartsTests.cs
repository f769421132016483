using System.Text.Json;
using System.Text.RegularExpressions;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>A prompt that no model holds is read in parts, and answered from their notes.</summary>
public sealed partial class PartsTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Hidden = "In paragraph 100 the heron is said to cost 12.40.";
    private static readonly TestModel Small = new("first") { Context = 4000, MaxOutput = 2000 };
    private static readonly WorkerOptions Quick = new()
    {
        FirstBackOff = TimeSpan.FromMilliseconds(5), MaxFaults = 3, Tick = TimeSpan.FromMilliseconds(5),
    };

    [Fact]
    public async Task A_prompt_too_long_for_every_model_is_read_in_parts_and_answered_from_their_notes()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);
        await simulator.PostFault(new { say = "The heron: 12.40." }, times: 1, match: new { contains = Hidden });

        var id = await queue.Publish(Task() with { Parameters = JsonSerializer.SerializeToElement(new { seed = 7 }) });
        await queue.InState(id, TaskStates.Completed);

        var payloads = await queue.Payloads(id);
        var count = payloads.Keys.Count(part => part.StartsWith("prompt/part-", StringComparison.Ordinal));
        Assert.InRange(count, 3, 20);
        var parts = Enumerable.Range(1, count).Select(i => $"part-{i}-of-{count}").ToList();
        Assert.Equal(Prompt(), string.Concat(
            parts.Select(part => InFrame().Match(StoredPrompt.Read(payloads[$"prompt/{part}"]).Messages[1].Content).Groups[1].Value)));

        var attempts = await queue.Attempts(id);
        Assert.Equal(
            [.. Enumerable.Range(1, count).Select(i => $"part {i} of {count}: notes for the answer"),
                "any/any; producer said analysis, high"],
            attempts.Select(a => a.Why));
        Assert.All(await simulator.Log(), call => Assert.InRange(call.PromptTokens + call.MaxTokens!.Value, 1, 3600));
        var history = await queue.History(id);
        Assert.Equal(["Submitted", "Chunked", .. parts.SelectMany(_ => new[] { "Extracting", "Noted" }), "Calling", "Completed"],
            history.Select(h => h.Entry));
        Assert.Matches($"^into {count} parts, each of at most \\d+ tokens with its instructions: nobody holds \\d+ tokens in one call$",
            history[1].Reason);

        var draft = StoredPrompt.Read(payloads["prompt/draft"]);
        var put = Assert.Single(draft.Messages).Content;
        Assert.StartsWith("What does the heron cost?", put, StringComparison.Ordinal);
        Assert.Contains("The heron: 12.40.", put, StringComparison.Ordinal);
        Assert.DoesNotContain(Hidden, put, StringComparison.Ordinal);
        Assert.EndsWith("Answer in one sentence.", put, StringComparison.Ordinal);
        Assert.Equal(7, draft.Parameters!.Value.GetProperty("seed").GetInt32());
        Assert.Equal(parts, (await queue.View(id)).Passes.Select(p => p.Pass));
        Assert.Equal(count + 1, (await simulator.Log()).Count);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_worker_that_dies_in_the_middle_of_a_part_costs_one_attempt()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);
        await simulator.PostFault(new { hang = true }, times: 1, skip: 1);

        var id = await queue.Publish(Task());
        var second = await queue.Becomes(id, "reading part 2", t => t is { State: TaskStates.Extracting, Attempt: 2 });
        Assert.StartsWith("part-2-of-", second.Pass.Name, StringComparison.Ordinal);
        await Eventually.True("the call is made", TimeSpan.FromSeconds(10), async () => (await queue.Attempts(id))[1].Worker is not null);
        await queue.Send(new LeaseExpired(id, second.Attempt));
        await queue.InState(id, TaskStates.Completed);

        var attempts = await queue.Attempts(id);
        Assert.Equal(TaskPasses.PlaceOf(second.Pass.Name!).Count + 2, attempts.Count);
        Assert.Equal(["answered", "abandoned", "answered"], attempts.Take(3).Select(a => a.Outcome));
        Assert.Equal(attempts[1].Why, attempts[2].Why);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Notes_whose_room_hidden_reasoning_took_are_asked_for_again_with_more_and_the_answer_stays_as_long_as_asked()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);
        await simulator.PostFault(new { reasoning = true }, times: 1);

        var id = await queue.Publish(Task());
        var done = await queue.InState(id, TaskStates.Completed);

        var attempts = await queue.Attempts(id);
        Assert.Equal(attempts[0].Why, attempts[1].Why);
        Assert.True(attempts[1].ReservedTokens > attempts[0].ReservedTokens, "it was asked again with no more room");
        Assert.True(attempts[2].ReservedTokens < attempts[1].ReservedTokens, "the next part was given the room of the one before");
        Assert.Equal(200, done.MaxOutputTokens);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Its_owner_may_cancel_it_between_its_parts()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);
        await simulator.PostFault(new { hang = true }, skip: 1);

        var id = await queue.Publish(Task());
        await queue.Becomes(id, "reading part 2", t => t is { State: TaskStates.Extracting, Attempt: 2 });
        await queue.Send(new CancelTask(id));
        await queue.InState(id, TaskStates.Canceled);

        Assert.Null(await queue.Answer(id));
        Assert.Equal(2, (await queue.Attempts(id)).Count);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task After_the_deadline_no_further_part_is_read()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);
        await simulator.PostFault(new { delayMs = 2500 });

        var id = await queue.Publish(Task() with { Deadline = TimeProvider.System.GetUtcNow().AddSeconds(2) });
        var failed = await queue.InState(id, TaskStates.Failed);

        Assert.Matches("^Its deadline .* UTC passed when part 1 of \\d+ had been read", failed.FailureReason);
        Assert.Single(await queue.Attempts(id));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task More_parts_than_are_read_are_rejected_with_where_to_go()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);

        var rejected = await queue.InState(await queue.Publish(Task() with { Prompt = string.Concat(Enumerable.Repeat(Prompt(), 40)) }),
            TaskStates.Rejected);

        Assert.Matches(
            "the largest call that can be made here takes 3600: it would be read in \\d+ parts, and at most \\d+ can be. "
                + "Hand its pages in as a summary \\(POST /v1/summaries\\)",
            rejected.FailureReason);
        Assert.Empty(await simulator.Log());
    }

    [Fact]
    public async Task Who_asks_for_a_model_by_name_has_it_read_the_parts()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, new TestModel("wide"), Small);

        var id = await queue.Publish(Task() with { Model = "groq:first" });
        await queue.InState(id, TaskStates.Completed);

        var attempts = await queue.Attempts(id);
        Assert.InRange(attempts.Count, 4, 21);
        Assert.All(attempts, a => Assert.Equal("groq:first", a.Model));
        Assert.Equal("requested", attempts[^1].Why);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task A_minute_that_never_holds_it_is_as_short_as_a_window()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, new TestModel("first") { Tpm = 4000 });

        var id = await queue.Publish(Task());
        var begun = await queue.Becomes(id, "reading part 1", t => TaskPasses.IsPart(t.Pass.Name));

        Assert.InRange(begun.PromptTokens + begun.CallOutputTokens, 1, 3000);
    }

    [Fact]
    public async Task A_longer_window_is_taken_before_a_prompt_is_cut_and_the_history_says_so()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small, new TestModel("wide"));

        var id = await queue.Publish(Task());
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal("groq:wide", Assert.Single(await queue.Attempts(id)).Model);
        Assert.Equal("too long for groq:first; groq:wide holds it",
            Assert.Single(await queue.History(id), h => h.Entry == "WindowSwitched").Reason);
    }

    [Fact]
    public async Task Turns_before_it_go_with_the_notes()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator, Small);
        await simulator.PostFault(new { say = "We speak of birds." }, times: 1, match: new { contains = "What of?" });
        await queue.InState(
            await queue.Publish(new LlmTask { Prompt = "What of?", Conversation = "birds", Kind = "analysis", Complexity = "low" }),
            TaskStates.Completed);
        await simulator.PostFault(new { say = "Noted." }, match: new { contains = "You are given one part" });

        var id = await queue.Publish(Task() with { Conversation = "birds" });
        await queue.InState(id, TaskStates.Completed);

        var messages = StoredPrompt.Read((await queue.Payloads(id))["prompt/draft"]).Messages;
        Assert.Equal(["What of?", "We speak of birds."], messages.Take(2).Select(m => m.Content));
        Assert.Contains("Part 1 of ", messages[^1].Content, StringComparison.Ordinal);
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public void Doors_refuse_for_its_length_only_what_no_number_of_parts_can_hold()
    {
        var models = new ModelChecks(new CurrentCatalogue(ModelCatalogue.Parse(TestCatalogue.Of(Small), "test.json"), null));

        Assert.Null(models.WhyTooLarge(6 * 4000, null, inParts: false));
        Assert.Contains("at least 4,001 tokens", models.WhyTooLarge(6 * 4001, null, inParts: false), StringComparison.Ordinal);
        Assert.Null(models.WhyTooLarge(6 * 4000 * 64, "groq:first", inParts: true));
        Assert.Contains("a prompt is read in at most 64 parts. Split it, or hand its pages in as a summary (POST /v1/summaries)",
            models.WhyTooLarge(6 * ((4000 * 64) + 1), "groq:first", inParts: true), StringComparison.Ordinal);
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator, params TestModel[] models) =>
        QueueUnderTest.Start(new QueueSetup { Catalogue = TestCatalogue.Of(models), ProviderUrl = simulator.BaseUrl, Options = Quick });

    private static LlmTask Task() => new() { Prompt = Prompt(), Kind = "analysis", Complexity = "high", MaxOutputTokens = 200 };

    /// <summary>About 7000 tokens; what is asked for stands in the middle.</summary>
    private static string Prompt() =>
        "What does the heron cost?\n\n"
            + string.Concat(Enumerable.Range(1, 200).Select(i => i == 100
                ? $"{Hidden}\n\n"
                : $"Paragraph {i} tells of the harbour and of the ships that lay there. Nobody says what birds cost. "
                    + $"The tide came in at {i % 12}.\n\n"))
            + "Answer in one sentence.";

    [GeneratedRegex("^<part number=\"\\d+\" of=\"\\d+\">\n(.*)\n</part>$", RegexOptions.Singleline, 1000)]
    private static partial Regex InFrame();
}
