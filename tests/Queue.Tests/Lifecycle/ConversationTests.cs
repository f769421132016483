using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Storage;
using LlmQueue.Storage.Conversations;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

public sealed class ConversationTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public async Task A_turn_is_sent_with_those_before_it_of_the_same_tenant_and_no_other()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { say = "We will use PostgreSQL." }, times: 1, match: new { contains = "Which database?" });
        await Done(queue, "Which database?", "plan", "anna");
        await Done(queue, "Whose secret is this?", "plan", "bert");
        await Done(queue, "Something else?", "other", "anna");

        var id = await Done(queue, "Why that one?", "plan", "anna");

        Assert.Equal([("user", "Which database?"), ("assistant", "We will use PostgreSQL."), ("user", "Why that one?")],
            (await Sent(queue, id)).Select(m => (m.Role, m.Content)));
        Assert.Contains(await queue.History(id), h => h.Entry == "Continued" && h.Reason == "with the 1 turns of 'plan' before it");
    }

    [Fact]
    public async Task A_turn_waits_for_no_other_and_is_sent_with_what_was_answered_when_it_came()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await simulator.PostFault(new { hang = true }, match: new { contains = "The slow one" });
        var slow = await Ask(queue, "The slow one", "plan", "anna");
        await queue.InState(slow, TaskStates.Calling);

        var id = await Done(queue, "The quick one", "plan", "anna");

        Assert.DoesNotContain("prompt/draft", (await queue.Payloads(id)).Keys);
        Assert.Equal(TaskStates.Calling, (await queue.Task(slow))!.State);
    }

    [Fact]
    public async Task Who_hands_in_the_whole_conversation_gets_no_second_copy_of_it()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        await Done(queue, "Which database?", "plan", "anna");

        var id = await queue.Publish(new LlmTask
        {
            Messages = [new("user", "Which database?"), new("assistant", "PostgreSQL."), new("user", "Why?")], Conversation = "plan",
            Tenant = "anna", Kind = "analysis", Complexity = "low",
        });
        await queue.InState(id, TaskStates.Completed);

        Assert.DoesNotContain("prompt/draft", (await queue.Payloads(id)).Keys);
    }

    [Fact]
    public async Task After_ten_turns_the_decisions_so_far_go_along_and_the_conversation_shows_what_it_cost()
    {
        var simulator = await simulators.Fresh();
        await using var queue = await Start(simulator);
        for (var i = 1; i <= 11; i++)
        {
            await simulator.PostFault(new { say = $"Well. We will use plan {i}." }, times: 1, match: new { contains = $"Question {i}?" });
            await Done(queue, $"Question {i}?", "plan", "anna");
        }

        var id = await Done(queue, "And now?", "plan", "anna");
        var sent = await Sent(queue, id);

        Assert.Equal("system", sent[0].Role);
        Assert.Contains("2. Question 2? → We will use plan 2.", sent[0].Content, StringComparison.Ordinal);
        Assert.Equal(["Question 8?", "Well. We will use plan 8."], sent.Skip(1).Take(2).Select(m => m.Content));
        Assert.Contains(await queue.History(id), h => h.Entry == "HandedOver");
        var view = (await Views(queue).Read("anna", "plan", TestContext.Current.CancellationToken))!;
        var tasks = await queue.Read(db => db.Tasks.AsNoTracking().ToListAsync());
        Assert.Equal((12, tasks.Sum(t => t.CostUsd), "And now?"), (view.TurnCount, view.CostUsd, view.Turns[^1].Asked));
        Assert.Equal(new Dictionary<string, int> { ["groq:first"] = 12 }, view.Models);
        Assert.Null(await Views(queue).Read("bert", "plan", TestContext.Current.CancellationToken));
    }

    private static ConversationViews Views(QueueUnderTest queue) => new(queue.Services.GetRequiredService<IDbContextFactory<QueueDb>>());

    private static Task<QueueUnderTest> Start(SimulatorProcess simulator) =>
        QueueUnderTest.Start(new QueueSetup { Catalogue = TestCatalogue.Of(new TestModel("first")), ProviderUrl = simulator.BaseUrl });

    private static Task<Guid> Ask(QueueUnderTest queue, string prompt, string conversation, string tenant) =>
        queue.Publish(new LlmTask
        {
            Prompt = prompt, Conversation = conversation, Tenant = tenant, Kind = "analysis", Complexity = "low", MaxOutputTokens = 50,
        });

    private static async Task<Guid> Done(QueueUnderTest queue, string prompt, string conversation, string tenant)
    {
        var id = await Ask(queue, prompt, conversation, tenant);
        await queue.InState(id, TaskStates.Completed);
        return id;
    }

    private static async Task<List<LlmMessage>> Sent(QueueUnderTest queue, Guid id) =>
        JsonSerializer.Deserialize<List<LlmMessage>>((await queue.Payloads(id))["prompt/draft"], JsonSerializerOptions.Web)!;
}
