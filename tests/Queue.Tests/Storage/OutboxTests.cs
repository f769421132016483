using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Storage;

/// <summary>Events that a process has left behind: each is published by itself.</summary>
public sealed class OutboxTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const int MostTries = 8;

    [Fact]
    public async Task An_event_that_cannot_be_read_holds_up_no_other_and_is_kept_aside_and_one_of_a_newer_program_waits_for_that()
    {
        await using var queue = await Start();
        var outbox = queue.Services.GetRequiredService<OutboxPublisher>();
        var task = Guid.NewGuid();
        await LeaveBehind(queue, "OfANewerProgram", "{}");
        await LeaveBehind(queue, nameof(LlmTaskCanceled), "not JSON");
        await LeaveBehind(queue, nameof(LlmTaskCanceled), $$"""{ "taskId": "{{task}}", "tenant": "acme", "at": "2026-11-27T12:00:00Z" }""");

        Assert.Equal(1, await outbox.PublishLeftBehind(TestContext.Current.CancellationToken));
        Assert.Equal(task, (await queue.Event<LlmTaskCanceled>(e => e.TaskId == task)).TaskId);
        Assert.Equal(1L, await queue.Scalar<long>("select count(*) from announcements where tries = 1 and parked_reason is null"));

        for (var i = 1; i < MostTries; i++)
            Assert.Equal(0, await outbox.PublishLeftBehind(TestContext.Current.CancellationToken));
        Assert.Contains("its body cannot be read",
            await queue.Scalar<string>("select parked_reason from announcements where body = 'not JSON'"), StringComparison.Ordinal);
        Assert.Equal(1L, await queue.Scalar<long>(
            "select count(*) from announcements where type = 'OfANewerProgram' and tries = 0 and parked_reason is null"));
        Assert.Contains(queue.Warnings, line => line.Contains("'OfANewerProgram', which this program does not know", StringComparison.Ordinal));
    }

    [Fact]
    public void An_event_that_no_broker_takes_is_sent_without_its_content_and_says_where_that_is()
    {
        var id = Guid.NewGuid();
        var page = new PageResult { Number = 1, Title = "One", State = "Completed", Summary = new string('x', EventSizeRule.MostBytes) };
        var whole = new PagesSummarized
        {
            SummaryId = id, Tenant = "acme", State = "Completed", Summary = "All of it.", Pages = [page], Usage = new LlmUsage(1, 1), At = default,
        };

        var sent = Assert.IsType<PagesSummarized>(EventSizeRule.Fitted(whole));

        Assert.Equal(("Completed", "All of it.", null), (sent.State, sent.Summary, sent.Pages[0].Summary));
        Assert.Contains($"GET /v1/summaries/{id}", sent.Reason, StringComparison.Ordinal);
        var small = whole with { Pages = [page with { Summary = "x" }] };
        Assert.Same(small, EventSizeRule.Fitted(small));
    }

    private static Task LeaveBehind(QueueUnderTest queue, string type, string body) => queue.Execute(
        "insert into announcements (id, type, body, at) values (gen_random_uuid(), $1, $2, now() - interval '1 hour')", type, body);

    private async Task<QueueUnderTest> Start() => await QueueUnderTest.Start(new QueueSetup
    {
        Catalogue = TestCatalogue.Of(new TestModel("small")), ProviderUrl = (await simulators.Fresh()).BaseUrl,
    });
}
