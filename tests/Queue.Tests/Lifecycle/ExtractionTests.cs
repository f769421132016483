using System.Text;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>Images become JSON by a model that reads them, and the JSON goes to the model of the ordinary route.</summary>
public sealed class ExtractionTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Receipt = """{"objects": [{"image": 1, "what": "receipt"}], "scenes": [], "emotions": [], "pacing": null, "text": [{"image": 1, "words": "Total 12.40"}], "transcript": null}""";
    private static readonly LlmImage Picture = new("https://example.com/receipt.png");

    [Fact]
    public async Task What_an_image_shows_is_compiled_by_a_model_that_reads_images_and_answered_by_one_of_the_route()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { say = $"```json\n{Receipt}\n```" }, times: 1, match: new { model = "eyes" });

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal([("groq:eyes", "extraction of what its images show"), ("groq:first", "any/any; producer said analysis, high")],
            (await queue.Attempts(id)).Select(a => (a.Model, a.Why)));
        Assert.Equal(["Submitted", "Extracting", "Extracted", "Calling", "Completed"], (await queue.History(id)).Select(h => h.Entry));
        var sent = JsonSerializer.Deserialize<List<LlmMessage>>((await queue.Payloads(id))["prompt/draft"], JsonSerializerOptions.Web)!;
        Assert.Null(Assert.Single(sent).Images);
        Assert.StartsWith("What did it cost?\n\nWhat the images show", sent[0].Content, StringComparison.Ordinal);
        Assert.Contains("Total 12.40", sent[0].Content, StringComparison.Ordinal);
        Assert.StartsWith($"[answer to #{Hash(sent[0].Content)}]", await queue.Answer(id), StringComparison.Ordinal);
        Assert.Equal(("extraction", "receipt"), (Assert.Single((await queue.View(id)).Passes).Pass,
            JsonDocument.Parse((await queue.Payloads(id))["extraction"]).RootElement.GetProperty("objects")[0]
                .GetProperty("what").GetString()));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Tokens_of_images_are_reserved_before_they_are_counted()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);

        var id = await Ask(queue);
        await queue.InState(id, TaskStates.Completed);

        // 74 patches of 28 a side, for an image of unknown size.
        Assert.InRange((await queue.Attempts(id))[0].ReservedTokens, (74 * 74) + 4096, 2 * ((74 * 74) + 4096));
    }

    [Fact]
    public async Task A_model_that_was_asked_for_by_name_and_reads_images_is_given_them_itself()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);

        var id = await queue.Publish(new LlmTask
        {
            Messages = [new LlmMessage("user", "What did it cost?") { Images = [Picture] }], Model = "groq:eyes", MaxOutputTokens = 100,
        });
        await queue.InState(id, TaskStates.Completed);

        var call = Assert.Single(await queue.Attempts(id));
        Assert.Equal(("groq:eyes", "requested"), (call.Model, call.Why));
        Assert.InRange(call.ReservedTokens, (74 * 74) + 100, 2 * ((74 * 74) + 100));
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task What_its_producer_said_of_the_answer_goes_with_the_question_that_was_made_of_the_images()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { say = Receipt }, times: 1, match: new { model = "eyes" });

        var id = await queue.Publish(new LlmTask
        {
            Messages = [new LlmMessage("user", "What did it cost?") { Images = [Picture] }], Kind = "analysis", Complexity = "high",
            Parameters = JsonSerializer.SerializeToElement(new { seed = 7 }),
        });
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal(7, JsonDocument.Parse((await queue.Payloads(id))["prompt/draft"]).RootElement.GetProperty("parameters")
            .GetProperty("seed").GetInt32());
    }

    [Fact]
    public async Task What_is_not_the_json_that_was_asked_for_is_asked_for_again_and_in_the_end_fails_the_task_with_the_reason()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { say = "It is a receipt of 12.40." }, match: new { model = "eyes" });

        var id = await Ask(queue);
        var failed = await queue.InState(id, TaskStates.Failed);

        Assert.Contains(
            "Its images could not be read: 3 calls met a fault, the last: groq:eyes gave no usable answer: "
                + "what it made of the images is not the JSON that was asked for",
            failed.FailureReason, StringComparison.Ordinal);
        Assert.DoesNotContain(await simulator.Log(), c => c.Model == "first");
        await queue.AssertLedgerIsSettled();
    }

    [Fact]
    public async Task Without_a_model_that_reads_images_the_task_is_rejected_with_what_to_do()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(
            new QueueSetup { Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl });

        var rejected = await queue.InState(await Ask(queue), TaskStates.Rejected);

        Assert.Contains("The task has images, and no model that reads them can take it", rejected.FailureReason, StringComparison.Ordinal);
        Assert.Empty(await simulator.Log());
    }

    [Fact]
    public async Task With_much_at_stake_the_critic_is_given_what_the_images_show()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(["critic"], new TestModel("first"), new TestModel("critic"),
                new TestModel("eyes") { Vision = true }),
            ProviderUrl = simulator.BaseUrl,
        });
        await simulator.PostFault(new { say = Receipt }, times: 1, match: new { model = "eyes" });
        await simulator.PostFault(new { say = """{"verdict": "accept", "issues": [], "score": 0.8}""" }, match: new { model = "critic" });

        var id = await Ask(queue, highStakes: true);
        await queue.InState(id, TaskStates.Completed);

        Assert.Contains("Total 12.40", (await queue.Payloads(id))["prompt/critique"], StringComparison.Ordinal);
        Assert.Equal(["extraction", "draft", "critique"], (await queue.View(id)).Passes.Select(p => p.Pass));
    }

    [Fact]
    public async Task A_worker_that_dies_while_the_images_are_read_costs_one_attempt()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { hang = true }, times: 1, match: new { model = "eyes" });

        var id = await Ask(queue);
        var reading = await queue.InState(id, TaskStates.Extracting);
        await Eventually.True("the call is made", TimeSpan.FromSeconds(10),
            async () => (await queue.Attempts(id)).Exists(a => a.Worker is not null));
        await queue.Send(new LeaseExpired(id, reading.Attempt));
        await queue.InState(id, TaskStates.Completed);

        Assert.Equal(["abandoned", "answered", "answered"], (await queue.Attempts(id)).Select(a => a.Outcome));
        await queue.AssertLedgerIsSettled();
    }

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator) => QueueUnderTest.Start(new QueueSetup
    {
        Catalogue = TestCatalogue.Of(new TestModel("first"), new TestModel("eyes") { Vision = true }), ProviderUrl = simulator.BaseUrl,
        Options = new WorkerOptions { FirstBackOff = TimeSpan.FromMilliseconds(5), MaxFaults = 3, Tick = TimeSpan.FromMilliseconds(5) },
    });

    private static Task<Guid> Ask(QueueUnderTest queue, bool highStakes = false) => queue.Publish(new LlmTask
    {
        Messages = [new LlmMessage("user", "What did it cost?") { Images = [Picture] }], Kind = "analysis", Complexity = "high",
        HighStakes = highStakes, MaxOutputTokens = 100,
    });

    private static string Hash(string text) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..12];
}
