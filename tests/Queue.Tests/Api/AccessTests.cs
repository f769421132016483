using System.Net.Http.Headers;
using LlmQueue.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Api;

public sealed class AccessTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    [Fact]
    public async Task Asks_who_calls_even_where_nothing_is()
    {
        foreach (var address in new[] { "/v1/tasks", "/v1/queue", "/v1/nothing", "/" })
        {
            var response = api.Nobody.Get(address);
            Assert.Contains("has no token", await response.Problem(401), StringComparison.Ordinal);
            Assert.Equal("Bearer", (await response).Headers.WwwAuthenticate.Single().Scheme);
        }

        Assert.Equal("live", (await api.Nobody.Get("/health/live").Body(200)).Text("status"));
    }

    [Theory]
    [InlineData("Bearer first-secre")]
    [InlineData("Bearer anna:first-secret")]
    [InlineData("Bearer ")]
    [InlineData("Basic first-secret")]
    public async Task Refuses_what_is_no_token(string header)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/tasks");
        request.Headers.TryAddWithoutValidation("Authorization", header);
        var response = api.Nobody.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.DoesNotContain("first-sec", await response.Problem(401), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tells_what_is_not_there_and_which_method_is_meant()
    {
        Assert.Contains("Nothing is at '/v1/task'", await api.Anna.Get("/v1/task").Problem(404), StringComparison.Ordinal);
        Assert.Contains("expected GET or POST", await api.Anna.Delete("/v1/tasks").Problem(405), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_tokens_only_this_machine_may_call_and_sees_everything()
    {
        await using var app = await ApiUnderTest.Start(await (await SharedServers.Postgres).CreateDatabase(), tokens: null);
        using var client = ApiUnderTest.Client(app, null);
        var accepted = await client.PostText("/v1/tasks", """{ "prompt": "Why?", "tenant": "somebody" }""").Body(202);
        Assert.Equal("default", (await client.Get(accepted.GetProperty("links").Text("self")).Body(200)).Text("tenant"));
        Assert.Equal(0, (await client.Get("/v1/tasks?tenant=somebody").Body(200)).GetProperty("items").GetArrayLength());
        Assert.Equal(1, (await client.Get("/v1/tasks").Body(200)).GetProperty("items").GetArrayLength());

        foreach (var (name, value, sentence) in new[]
        {
            ("X-Forwarded-For", "203.0.113.7", "through a proxy"), ("X-Real-IP", "203.0.113.7", "through a proxy"), ("Via", "1.1 proxy", "through a proxy"), ("Host", "evil.example", "addressed to 'evil.example'"),
            ("Origin", "https://evil.example", "a web page from elsewhere"), ("Origin", "null", "a web page from elsewhere"),
        })
            Assert.Contains(sentence, await client.PostText("/v1/tasks", """{ "prompt": "Why?" }""", (name, value)).Problem(403),
                StringComparison.Ordinal);
    }
}
