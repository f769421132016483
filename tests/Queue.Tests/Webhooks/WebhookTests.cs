using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Webhooks;

/// <summary>What a task's owner is told over HTTP, by the letter of Standard Webhooks.</summary>
public sealed class WebhookTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    internal const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    private const string NextSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=";
    internal static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    [Fact]
    public async Task An_end_is_told_once_and_its_signatures_verify()
    {
        await using var receiver = await Receiver.Start((_, _) => Task.CompletedTask);
        await using var queue = await Start(("LLMQUEUE_WEBHOOK_SECRETS", $"anna:{Secret},anna:{NextSecret}"));
        using var anna = queue.Anna;

        var id = await Ask(anna, receiver.Url + "/hook");
        var webhook = await Told(anna, id, "delivered");

        var call = Assert.Single(receiver.Calls);
        var body = JsonDocument.Parse(call.Body).RootElement;
        Assert.Equal(("task.completed", id, "Completed"),
            (body.Text("type"), body.GetProperty("data").Text("id"), body.GetProperty("data").Text("state")));
        Assert.Equal("yes", body.GetProperty("data").GetProperty("metadata").Text("mine"));
        // With either secret, so that its owner can exchange one for the other.
        Assert.True(Verifies(call, Secret));
        Assert.True(Verifies(call, NextSecret));
        Assert.False(Verifies(call, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        Assert.False(Verifies(call with { Body = Encoding.UTF8.GetBytes(call.Text + " ") }, Secret));
        Assert.Equal(1, webhook.GetProperty("attempts").GetInt32());
    }

    [Fact]
    public async Task A_receiver_that_is_down_for_a_while_is_told_later_under_the_same_id()
    {
        await using var receiver = await Receiver.Start((context, before) =>
        {
            context.Response.StatusCode = before == 0 ? 503 : 204;
            return Task.CompletedTask;
        });
        await using var queue = await Start();
        using var anna = queue.Anna;

        var webhook = await Told(anna, await Ask(anna, receiver.Url), "delivered");

        Assert.Equal(2, webhook.GetProperty("attempts").GetInt32());
        Assert.Single(receiver.Calls.Select(c => c.Headers["webhook-id"]).Distinct());
        Assert.All(receiver.Calls, call => Assert.True(Verifies(call, Secret)));
        Assert.True(
            long.Parse(receiver.Calls[1].Headers["webhook-timestamp"]) - long.Parse(receiver.Calls[0].Headers["webhook-timestamp"]) >= 4);
    }

    [Fact]
    public async Task An_address_that_is_gone_is_not_called_again()
    {
        await using var receiver = await Receiver.Start((context, _) =>
        {
            context.Response.StatusCode = 410;
            return Task.CompletedTask;
        });
        await using var queue = await Start();
        using var anna = queue.Anna;

        var first = await Told(anna, await Ask(anna, receiver.Url), "given up");
        var second = await Told(anna, await Ask(anna, receiver.Url), "given up");

        Assert.Contains("410", first.Text("lastResult"), StringComparison.Ordinal);
        Assert.Contains("410 to a call before", second.Text("lastResult"), StringComparison.Ordinal);
        Assert.Single(receiver.Calls);
    }

    [Fact]
    public async Task A_redirect_is_a_failure_and_not_followed()
    {
        await using var receiver = await Receiver.Start((context, _) =>
        {
            context.Response.Redirect("/elsewhere");
            return Task.CompletedTask;
        });
        await using var queue = await Start();
        using var anna = queue.Anna;
        var id = await Ask(anna, receiver.Url + "/hook");

        await Eventually.True("the first call has its result", Soon, async () => (await anna.Get($"/v1/tasks/{id}").Body(200))
            .GetProperty("webhook").GetProperty("lastResult").GetString()
            ?.Contains("redirects are not followed", StringComparison.Ordinal) == true);

        Assert.All(receiver.Calls, call => Assert.Equal("/hook", call.Path));
    }

    [Fact]
    public async Task A_receiver_that_never_answers_holds_up_nobody_else()
    {
        var never = new TaskCompletionSource();
        await using var slow = await Receiver.Start((_, _) => never.Task);
        await using var quick = await Receiver.Start((_, _) => Task.CompletedTask);
        await using var queue = await Start();
        using var anna = queue.Anna;

        await Ask(anna, slow.Url);
        await Eventually.True("the slow one is being told", Soon, () => slow.Calls.Count == 1);
        await Told(anna, await Ask(anna, quick.Url), "delivered");
        never.SetResult();
    }

    [Fact]
    public async Task An_address_whose_name_leads_into_the_queues_own_network_is_not_called()
    {
        await using var queue = await Start();
        using var anna = queue.Anna;

        var webhook = await Told(anna, await Ask(anna, "http://localhost:9/hook"), "given up");

        Assert.Contains("private network", webhook.Text("lastResult"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data", "private network")]
    [InlineData("http://[::1]:9/", "private network")]
    [InlineData("http://[::ffff:10.0.0.1]/", "private network")]
    [InlineData("http://user:password@127.0.0.1/", "carries a user")]
    [InlineData("ftp://example.com/", "http or https")]
    public async Task An_address_that_is_never_called_is_refused_at_the_door(string url, string why)
    {
        await using var queue = await Start();
        using var anna = queue.Anna;

        Assert.Contains(why,
            await anna.PostText("/v1/tasks", JsonSerializer.Serialize(new { prompt = "Why?", webhookUrl = url })).Problem(400),
            StringComparison.Ordinal);
        var error = (await anna.PostText("/v1/batches", JsonSerializer.Serialize(new
        {
            endpoint = "/v1/chat/completions", completion_window = "24h", requests = new[] { new { custom_id = "x" } }, webhook_url = url,
        }))
            .Body(400))
            .GetProperty("error");
        Assert.Equal(("webhook_url", "invalid_value"), (error.Text("param"), error.Text("code")));
    }

    [Fact]
    public async Task Without_a_secret_nobody_is_told_unsigned_and_the_refusal_names_the_setting()
    {
        await using var receiver = await Receiver.Start((_, _) => Task.CompletedTask);
        await using var queue = await Start();
        using var ben = queue.Ben;

        var refused = await ben.PostText("/v1/tasks", JsonSerializer.Serialize(new { prompt = "Why?", webhookUrl = receiver.Url }))
            .Problem(400);
        Assert.Contains("LLMQUEUE_WEBHOOK_SECRETS=\"ben:whsec_…\"", refused, StringComparison.Ordinal);
        // Over the bus it cannot be refused at the door: the work is done, and the call waits for its secret.
        var id = Guid.CreateVersion7();
        await queue.Services.GetRequiredService<MassTransit.IBus>().Publish(
            new LlmTask { Id = id, Prompt = "Why?", Tenant = "ben", Kind = "analysis", Complexity = "low", WebhookUrl = receiver.Url },
            TestContext.Current.CancellationToken);
        await Eventually.True("the task is known", Soon, async () => (await ben.Get($"/v1/tasks/{id}")).IsSuccessStatusCode);
        var webhook = await Told(ben, id.ToString(), "given up");

        Assert.Contains("a webhook that is not signed is not sent", webhook.Text("lastResult"), StringComparison.Ordinal);
        Assert.Empty(receiver.Calls);
    }

    /// <summary>The reference algorithm, from the specification's text.</summary>
    internal static bool Verifies(ReceivedCall call, string secret)
    {
        var signed = Encoding.UTF8.GetBytes($"{call.Headers["webhook-id"]}.{call.Headers["webhook-timestamp"]}.{call.Text}");
        var expected =
            $"v1,{Convert.ToBase64String(new HMACSHA256(Convert.FromBase64String(secret["whsec_".Length..])).ComputeHash(signed))}";
        return call.Headers["webhook-signature"].Split(' ')
            .Any(signature => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(signature), Encoding.UTF8.GetBytes(expected)));
    }

    private async Task<WholeQueue> Start(params (string Name, string? Value)[] more) =>
        await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl,
            [("LLMQUEUE_PRIVATE_HOSTS", "127.0.0.1"), ("LLMQUEUE_WEBHOOK_SECRETS", $"anna:{Secret}"), .. more]);

    internal static async Task<string> Ask(HttpClient client, string url) =>
        (await client.PostText("/v1/tasks", JsonSerializer.Serialize(
            new { prompt = "Why?", kind = "analysis", complexity = "low", webhookUrl = url, metadata = new { mine = "yes" } }))
            .Body(202))
            .Text("id");

    internal static async Task<JsonElement> Told(HttpClient client, string id, string state)
    {
        JsonElement webhook = default;
        await Eventually.True($"the webhook is {state}", Soon,
            async () => (webhook = (await client.Get($"/v1/tasks/{id}").Body(200)).GetProperty("webhook")).Text("state") == state);
        return webhook;
    }
}
