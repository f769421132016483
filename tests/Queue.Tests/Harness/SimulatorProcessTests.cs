using System.Net;
using System.Net.Http.Json;

namespace LlmQueue.Tests.Harness;

public sealed class SimulatorProcessTests
{
    [Fact]
    public async Task Answers_throttles_on_request_and_tells_what_it_saw()
    {
        await using var simulator = await SimulatorProcess.Start();
        await simulator.Configure(new { models = new[] { new { name = "small", tpm = 100_000 } } });
        await simulator.PostFault(new { throttle = new { retryAfterSeconds = 5, window = "TPM" } }, times: 1);

        Assert.Equal(HttpStatusCode.TooManyRequests, await Ask(simulator));
        Assert.Equal(HttpStatusCode.OK, await Ask(simulator));

        var calls = await simulator.Log();
        Assert.Equal([429, 200], calls.Select(call => call.Status));
        Assert.All(calls, call => Assert.Equal("small", call.Model));
        var statistics = await simulator.Statistics();
        Assert.Equal((2, 0), (statistics.Calls, statistics.AboveALimit));
        Assert.InRange(Assert.Single(statistics.Accounts).Windows["TPM"].HighestShare, 0.00001, 0.5);

        await simulator.PostFault(new { status = 503 });
        await simulator.ClearFaults();
        Assert.Equal(HttpStatusCode.OK, await Ask(simulator));
        await simulator.Reset();
        Assert.Empty(await simulator.Log());
    }

    private static async Task<HttpStatusCode> Ask(SimulatorProcess simulator)
    {
        var message = new { role = "user", content = "Hello" };
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{simulator.BaseUrl}/chat/completions");
        request.Headers.Authorization = new("Bearer", "sk-key-1");
        request.Content = JsonContent.Create(new { model = "small", max_tokens = 20, messages = new[] { message } });
        using var answer = await simulator.Client.SendAsync(request, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }
}
