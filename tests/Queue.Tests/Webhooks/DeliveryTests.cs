using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Tests.Webhooks;

/// <summary>Where deliveries are seen, how they are replayed, and what batches tell.</summary>
public sealed class DeliveryTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Fact]
    public async Task Every_try_is_seen_and_a_replay_comes_under_the_same_id()
    {
        await using var receiver = await Receiver.Start((context, before) =>
        {
            context.Response.StatusCode = before == 0 ? 410 : 204;
            return Task.CompletedTask;
        });
        await using var queue = await Start();
        using var anna = queue.Anna;
        var task = await WebhookTests.Ask(anna, receiver.Url);
        var id = (await WebhookTests.Told(anna, task, "given up")).Text("id");

        var asked = await anna.PostText($"/v1/webhooks/{id}/replay", "").Body(202);
        await WebhookTests.Told(anna, task, "delivered");
        var seen = await anna.Get($"/v1/webhooks/{id}").Body(200);

        Assert.Equal("due", asked.Text("state"));
        Assert.Equal((task, "task.completed", 2), (seen.Text("taskId"), seen.Text("type"), seen.GetProperty("attempts").GetInt32()));
        Assert.Equal(["1 the receiver answered 410: it wants no calls any more", "2 the receiver answered 204"],
            seen.GetProperty("tries").EnumerateArray().Select(t => $"{t.GetProperty("number")} {t.Text("result")}"));
        Assert.All(receiver.Calls, call => Assert.Equal(seen.Text("messageId"), call.Headers["webhook-id"]));
        Assert.Equal(2, receiver.Calls.Count);
        Assert.All(receiver.Calls, call => Assert.True(WebhookTests.Verifies(call, WebhookTests.Secret)));
        // The address had said that it was gone; its owner has asked, so the next task finds it again.
        await WebhookTests.Told(anna, await WebhookTests.Ask(anna, receiver.Url), "delivered");
    }

    [Fact]
    public async Task A_replay_has_the_whole_schedule_before_it()
    {
        await using var receiver = await Receiver.Start((context, _) =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        await using var queue = await Start();
        using var anna = queue.Anna;
        var task = await WebhookTests.Ask(anna, receiver.Url);
        string? id = null;
        await Eventually.True("it was tried", WebhookTests.Soon, async () => (id = await IdOnceTried(anna, task)) is not null);
        // Nine tries of three days lie behind it.
        await queue.Read(db => db.Webhooks.ExecuteUpdateAsync(
            s => s.SetProperty(w => w.Attempts, 9).SetProperty(w => w.DueAt, w => w.CreatedAt), TestContext.Current.CancellationToken));
        var given = await WebhookTests.Told(anna, task, "given up");

        await anna.PostText($"/v1/webhooks/{id}/replay", "").Body(202);
        await Eventually.True("it was tried again", WebhookTests.Soon,
            async () => (await anna.Get($"/v1/webhooks/{id}").Body(200)).GetProperty("tries").GetArrayLength() == 3);

        Assert.Contains("10 times in three days", given.Text("lastResult"), StringComparison.Ordinal);
        var seen = await anna.Get($"/v1/webhooks/{id}").Body(200);
        Assert.Equal("due", seen.Text("state"));
        Assert.InRange(
            (seen.GetProperty("nextAt").GetDateTime() - seen.GetProperty("tries")[2].GetProperty("at").GetDateTime()).TotalSeconds, 4.5, 6);
    }

    [Fact]
    public async Task What_is_being_called_now_is_not_called_a_second_time_beside_it()
    {
        var held = new TaskCompletionSource();
        await using var receiver = await Receiver.Start((_, _) => held.Task);
        await using var queue = await Start();
        using var anna = queue.Anna;
        var task = await WebhookTests.Ask(anna, receiver.Url);
        await Eventually.True("the receiver is being told", WebhookTests.Soon, () => receiver.Calls.Count == 1);
        var id = (await anna.Get($"/v1/webhooks?task={task}").Body(200)).GetProperty("items")[0].Text("id");

        var refused = await anna.PostText($"/v1/webhooks/{id}/replay", "").Problem(409);
        held.SetResult();

        Assert.Contains("is calling this address now", refused, StringComparison.Ordinal);
        await WebhookTests.Told(anna, task, "delivered");
        Assert.Single(receiver.Calls);
    }

    [Fact]
    public async Task Lists_go_by_pages_and_filters()
    {
        await using var receiver = await Receiver.Start((context, _) =>
        {
            context.Response.StatusCode = context.Request.Path == "/good" ? 200 : 410;
            return Task.CompletedTask;
        });
        await using var queue = await Start();
        using var anna = queue.Anna;
        using var ben = queue.Ben;
        string[] good = [await WebhookTests.Ask(anna, receiver.Url + "/good"), await WebhookTests.Ask(anna, receiver.Url + "/good")];
        var bad = await WebhookTests.Ask(anna, receiver.Url + "/bad");
        foreach (var task in good)
            await WebhookTests.Told(anna, task, "delivered");
        await WebhookTests.Told(anna, bad, "given up");

        var first = await anna.Get("/v1/webhooks?limit=2").Body(200);
        var second = await anna.Get($"/v1/webhooks?limit=2&after={first.Text("next")}").Body(200);

        Assert.Equal(good.Append(bad).Order(StringComparer.Ordinal), Tasks(first).Concat(Tasks(second)).Order(StringComparer.Ordinal));
        Assert.Equal(JsonValueKind.Null, second.GetProperty("next").ValueKind);
        Assert.Equal([bad], Tasks(await anna.Get("/v1/webhooks?state=given%20up").Body(200)));
        Assert.Equal([good[0]], Tasks(await anna.Get($"/v1/webhooks?task={good[0]}").Body(200)));
        Assert.Empty(Tasks(await ben.Get("/v1/webhooks").Body(200)));
        Assert.Contains("did you mean 'delivered'?", await anna.Get("/v1/webhooks?state=deliverd").Problem(400), StringComparison.Ordinal);
        Assert.Contains("expected state, task, batch, after, limit", await anna.Get("/v1/webhooks?tenant=ben").Problem(400),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    [InlineData("cancelled")]
    [InlineData("expired")]
    public async Task Every_end_of_a_batch_is_told(string end)
    {
        await using var receiver = await Receiver.Start((_, _) => Task.CompletedTask);
        var simulator = await simulators.Fresh();
        if (end is "cancelled" or "expired")
            await simulator.PostFault(new { status = 503 }, times: 1000);
        await using var queue = await Start(simulator.BaseUrl);
        using var anna = queue.Anna;
        var file = await anna.Upload(end == "failed" ? "no json" : $"{BatchClient.Line("a")}\n{BatchClient.Line("b", model: "nobody")}");

        var batch = (await anna.PostText("/v1/batches",
            $$$"""{"input_file_id":"{{{file}}}","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"job":"nightly"},"webhook_url":"{{{receiver.Url}}}/batches"}""")
            .Body(200))
            .Text("id");
        if (end is "cancelled" or "expired")
            await anna.Becomes(batch, "in_progress");
        if (end == "cancelled")
            await anna.PostText($"/v1/batches/{batch}/cancel", "").Body(200);
        if (end == "expired")
            await queue.Read(db => db.Batches.ExecuteUpdateAsync(s => s.SetProperty(b => b.ExpiresAt, b => b.CreatedAt),
                TestContext.Current.CancellationToken));
        var ended = await anna.Becomes(batch, end);
        await Eventually.True("its owner is told", WebhookTests.Soon,
            async () => (await anna.Get($"/v1/webhooks?batch={batch}&state=delivered").Body(200)).GetProperty("items")
                .GetArrayLength() == 1);

        var call = Assert.Single(receiver.Calls);
        Assert.True(WebhookTests.Verifies(call, WebhookTests.Secret));
        var told = JsonDocument.Parse(call.Body).RootElement;
        var data = told.GetProperty("data");
        Assert.Equal(($"batch.{end}", "event", batch, end), (told.Text("type"), told.Text("object"), data.Text("id"), data.Text("status")));
        Assert.Equal(ended.GetProperty("request_counts").GetRawText(), data.GetProperty("request_counts").GetRawText());
        Assert.Equal((ended.GetProperty("output_file_id").ToString(), ended.GetProperty("error_file_id").ToString()),
            (data.GetProperty("output_file_id").ToString(), data.GetProperty("error_file_id").ToString()));
        Assert.Equal("nightly", data.GetProperty("metadata").Text("job"));
    }

    private static async Task<string?> IdOnceTried(HttpClient anna, string task)
    {
        var webhook = (await anna.Get($"/v1/tasks/{task}").Body(200)).GetProperty("webhook");
        return webhook.GetProperty("lastResult").ValueKind is JsonValueKind.Null ? null : webhook.Text("id");
    }

    private static IEnumerable<string> Tasks(JsonElement page) => page.GetProperty("items").EnumerateArray().Select(i => i.Text("taskId"));

    private async Task<WholeQueue> Start(string? provider = null) =>
        await WholeQueue.Start(Catalogue, provider ?? (await simulators.Fresh()).BaseUrl, ("LLMQUEUE_PRIVATE_HOSTS", "127.0.0.1"),
            ("LLMQUEUE_WEBHOOK_SECRETS", $"anna:{WebhookTests.Secret}"));
}
