using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Webhooks;

/// <summary>What a task's owner is told over HTTP, by the letter of Standard Webhooks.</summary>
public sealed class WebhookTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    private const string NextSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=";
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
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
        Assert.Equal(("task.completed", id, "Completed"), (body.Text("type"), body.GetProperty("data").Text("id"), body.GetProperty("data").Text("state")));
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
        await using var queue = await Start(("LLMQUEUE_WEBHOOK_SECRETS", $"anna:{Secret}"));
        using var anna = queue.Anna;

        var webhook = await Told(anna, await Ask(anna, receiver.Url), "delivered");

        Assert.Equal(2, webhook.GetProperty("attempts").GetInt32());
        Assert.Single(receiver.Calls.Select(c => c.Headers["webhook-id"]).Distinct());
        Assert.All(receiver.Calls, call => Assert.True(Verifies(call, Secret)));
        Assert.True(long.Parse(receiver.Calls[1].Headers["webhook-timestamp"]) - long.Parse(receiver.Calls[0].Headers["webhook-timestamp"]) >= 4);
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

        await Eventually.True("the first call has its result", Soon, async () => (await anna.Get($"/v1/tasks/{id}").Body(200)).GetProperty("webhook").GetProperty("lastResult").GetString()?.Contains("redirects are not followed", StringComparison.Ordinal) == true);

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

    [Theory]
    [InlineData("http://localhost:9/hook")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://[::1]:9/")]
    [InlineData("http://user:password@127.0.0.1/")]
    public async Task Addresses_of_the_queues_own_network_are_not_called(string url)
    {
        await using var queue = await Start();
        using var anna = queue.Anna;

        var webhook = await Told(anna, await Ask(anna, url), "given up");

        Assert.Matches("private network|carries a user", webhook.Text("lastResult"));
    }

    /// <summary>The reference algorithm, from the specification's text.</summary>
    private static bool Verifies(ReceivedCall call, string secret)
    {
        var signed = Encoding.UTF8.GetBytes($"{call.Headers["webhook-id"]}.{call.Headers["webhook-timestamp"]}.{call.Text}");
        var expected = $"v1,{Convert.ToBase64String(new HMACSHA256(Convert.FromBase64String(secret["whsec_".Length..])).ComputeHash(signed))}";
        return call.Headers["webhook-signature"].Split(' ').Any(signature => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(signature), Encoding.UTF8.GetBytes(expected)));
    }

    private async Task<WholeQueue> Start(params (string Name, string? Value)[] more) =>
        await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl, [("LLMQUEUE_PRIVATE_HOSTS", "127.0.0.1"), .. more]);

    private static async Task<string> Ask(HttpClient client, string url) =>
        (await client.PostText("/v1/tasks", JsonSerializer.Serialize(new { prompt = "Why?", kind = "analysis", complexity = "low", webhookUrl = url, metadata = new { mine = "yes" } })).Body(202)).Text("id");

    private static async Task<JsonElement> Told(HttpClient client, string id, string state)
    {
        JsonElement webhook = default;
        await Eventually.True($"the webhook is {state}", Soon, async () => (webhook = (await client.Get($"/v1/tasks/{id}").Body(200)).GetProperty("webhook")).Text("state") == state);
        return webhook;
    }
}
