using System.Diagnostics;
using System.Text.Json;
using LlmQueue.Limits;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Api;

public sealed class HealthTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    [Fact]
    public async Task Is_ready_when_the_database_and_the_bus_are_there() =>
        Assert.Equal("ready", (await Eventually.Found("ready", TimeSpan.FromSeconds(10), async () =>
            await api.Nobody.Get("/health/ready") is { IsSuccessStatusCode: true }
                ? (object)await api.Nobody.Get("/health/ready").Body(200)
                : null) as JsonElement?)!.Value.Text("status"));

    [Fact]
    public async Task Shows_the_queue_as_a_whole()
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        TaskRow Waiting(int second) => new()
        {
            CorrelationId = Guid.CreateVersion7(), Version = 1, Tenant = "anna", State = TaskStates.WaitingForCapacity, SubmittedAt = now,
            UpdatedAt = now, CommandSentAt = now,
            Wait = new TaskWait
            {
                For = "capacity",
                Reason = $"groq:small of groq-1 has no room: tokens a minute are used up until 12:00:0{second}.000 UTC", Since = now,
                ExpectedAt = now.AddSeconds(second), QueueId = "abc",
            },
        };
        await api.Write(Waiting(5), Waiting(3),
            new WaitQueue { Id = "abc", Buckets = IdList.Of(["groq/groq-1/small", "groq/groq-1/large"]) },
            new TokenBucket
            {
                Id = "groq/groq-1/small", Provider = "groq", Organisation = "groq-1", Model = "small", RequestsPerMinute = 60,
                LevelRequestsMinute = 0, AsOf = now.AddSeconds(-30), ReservedRequests = 5, SettledRequests = 3, ReleasedRequests = 1,
                ReservedTokens = 900, SettledTokens = 400, ClosedUntil = now.AddMinutes(1), ClosedReason = "slow down",
            },
            new Budget
            {
                Id = "installation/today", Scope = "installation", PeriodStart = now.AddHours(-1), PeriodEnd = now.AddHours(1),
                LimitUsd = 5, SpentUsd = 1.5m, ReservedUsd = 2, SettledUsd = 1.25m, ReleasedUsd = 0.5m,
            },
            new Budget
            {
                Id = "installation/yesterday", Scope = "installation", PeriodStart = now.AddHours(-25), PeriodEnd = now.AddHours(-1),
            },
            new KeyRow
            {
                Alias = "groq-1", Provider = "groq", Organisation = "groq-1", Calls = 9, Throttled = 2, RefusedReason = "invalid",
            });
        var queue = await api.Anna.Get("/v1/queue").Body(200);
        Assert.Equal(2, queue.GetProperty("tasks").GetProperty("WaitingForCapacity").GetInt32());
        var line = queue.GetProperty("waiting")[0];
        Assert.Equal(("groq:small of groq-1 has no room: tokens a minute are used up", 2, 2),
            (line.Text("reason"), line.GetProperty("count").GetInt32(), line.GetProperty("buckets").GetArrayLength()));
        var bucket = queue.GetProperty("buckets")[0];
        Assert.InRange(bucket.GetProperty("windows")[0].GetProperty("level").GetDouble(), 29, 60);
        Assert.Equal((1, 500, "slow down"), (bucket.GetProperty("requestsInFlight").GetInt32(),
            bucket.GetProperty("tokensInFlight").GetInt32(), bucket.Text("closedReason")));
        Assert.Equal("0.25", Assert.Single(queue.GetProperty("budgets").EnumerateArray()).GetProperty("inFlightUsd").GetRawText());
        Assert.Equal(("groq-1", "invalid"),
            (queue.GetProperty("keys")[0].Text("alias"), queue.GetProperty("keys")[0].Text("refusedReason")));
    }

    [Fact]
    public async Task Outlasts_a_restart_of_the_database_and_says_so_clearly_when_it_stays_away()
    {
        await using var server = await PostgresServer.StartNew();
        await using var app = await ApiUnderTest.Start(await server.CreateDatabase(), tokens: null);
        using var client = ApiUnderTest.Client(app, null);
        await client.PostText("/v1/tasks", """{ "prompt": "Before" }""").Body(202);

        await server.Kill();
        var began = Stopwatch.GetTimestamp();
        var response = client.PostText("/v1/tasks", """{ "prompt": "Meanwhile" }""");
        Assert.Contains("The database does not answer, and nothing was changed", await response.Problem(503), StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(9));
        Assert.NotNull((await response).Headers.RetryAfter);
        Assert.Contains("DATABASE_URL", (await client.Get("/health/ready").Body(503)).GetProperty("missing")[0].GetString(),
            StringComparison.Ordinal);
        Assert.Equal("live", (await client.Get("/health/live").Body(200)).Text("status"));

        var patient = client.PostText("/v1/tasks", """{ "prompt": "Patient" }""");
        await server.Start();
        await patient.Body(202);
        Assert.Equal(2, (await client.Get("/v1/tasks").Body(200)).GetProperty("items").GetArrayLength());
    }
}
