using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Webhooks;
using LlmQueue.Tests.Api;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.HostileTenant;

/// <summary>What a tenant may hold of what all share, and that nobody stands behind another's crowd.</summary>
public sealed class SharesTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    private static readonly DateTime Now = TimeProvider.System.GetUtcNow().UtcDateTime;

    [Fact]
    public async Task A_batch_is_found_beside_a_thousand_older_ones_of_another_tenant()
    {
        await api.Write([.. Enumerable.Range(0, 1_005).Select(i => Batch("ben", Now.AddHours(-2).AddSeconds(i)))]);
        var first = Batch("anna", Now);
        await api.Write(first);

        var open = await api.Services.GetRequiredService<BatchRepository>().Open(TestContext.Current.CancellationToken);

        Assert.Contains(first.Id, open.Take(2).Select(b => b.Id));
        Assert.Equal(1_000, open.Count);
    }

    [Fact]
    public async Task Receivers_that_never_answer_leave_places_for_other_tenants()
    {
        await api.Write([.. Enumerable.Range(0, 300).Select(i => Webhook("ben", Now.AddHours(-1).AddSeconds(i)))]);
        var webhooks = api.Services.GetRequiredService<WebhookRepository>();

        var taken = await webhooks.Take(64, 16, TestContext.Current.CancellationToken);
        var more = await webhooks.Take(48, 16, TestContext.Current.CancellationToken);
        await api.Write(Webhook("anna", Now.AddSeconds(-1)));
        var next = await webhooks.Take(48, 16, TestContext.Current.CancellationToken);

        Assert.Equal((16, 0), (taken.Count, more.Count));
        Assert.Equal(["anna"], next.Select(due => due.Row.Tenant));
    }

    [Fact]
    public void A_tenant_has_so_many_event_streams_and_another_has_its_own()
    {
        var streams = new OpenStreams();
        var open = Enumerable.Range(0, OpenStreams.MostOfTenant).Select(_ => streams.Open("ben")).ToList();

        var refused = Assert.Throws<ProblemException>(() => streams.Open("ben"));
        streams.Open("anna").Dispose();
        open[0].Dispose();
        open[0].Dispose();
        streams.Open("ben");

        Assert.Equal(429, refused.Problem.Status);
        Assert.Throws<ProblemException>(() => streams.Open("ben"));
    }

    private static BatchRow Batch(string tenant, DateTime at) => new()
    {
        Id = Guid.CreateVersion7(at), Tenant = tenant, Status = BatchStatuses.Validating, Endpoint = "/v1/chat/completions",
        CompletionWindow = "24h", CreatedAt = at, ExpiresAt = at.AddDays(1), InputFileId = Guid.NewGuid(),
    };

    private static WebhookRow Webhook(string tenant, DateTime due) => new()
    {
        Id = Guid.CreateVersion7(due), TaskId = Guid.NewGuid(), Tenant = tenant, Url = "https://example.com/", Type = "task.completed",
        CreatedAt = due, DueAt = due,
    };
}
