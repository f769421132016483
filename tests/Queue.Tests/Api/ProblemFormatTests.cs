using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Api;

/// <summary>
/// Who calls with OpenAI's clients reads OpenAI's error object, also where nothing is; everybody else reads problem details.
/// </summary>
public sealed class ProblemFormatTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/v1/files/none", 404)]
    [InlineData("GET", "/v1/files/none/none/none", 404)]
    [InlineData("PATCH", "/v1/files", 405)]
    [InlineData("GET", "/v1/batches/none/none", 404)]
    [InlineData("DELETE", "/v1/batches/none", 405)]
    [InlineData("GET", "/v1/chat", 404)]
    [InlineData("GET", "/v1/chat/nothing", 404)]
    [InlineData("PUT", "/v1/chat/completions", 405)]
    [InlineData("GET", "/V1/Chat/nothing", 404)]
    [InlineData("GET", "/v1/models/none", 404)]
    [InlineData("POST", "/v1/models", 405)]
    public async Task At_the_addresses_of_OpenAIs_clients_a_problem_is_OpenAIs_error_object(string method, string address, int status)
    {
        var (answered, body) = await Send(api.Anna, method, address);

        Assert.Equal(status, answered);
        Assert.NotEmpty(body.GetProperty("error").Text("message"));
        Assert.Equal("invalid_request_error", body.GetProperty("error").Text("type"));
    }

    [Theory]
    [InlineData("GET", "/v1/tasks/none", 404)]
    [InlineData("GET", "/v1/tasks/none/none/none", 404)]
    [InlineData("PUT", "/v1/tasks", 405)]
    [InlineData("GET", "/v1/webhooks/none", 404)]
    [InlineData("POST", "/v1/queue", 405)]
    [InlineData("GET", "/v1/filesystem", 404)]
    [InlineData("GET", "/v1", 404)]
    [InlineData("GET", "/", 404)]
    public async Task Everywhere_else_it_is_problem_details(string method, string address, int status)
    {
        var (answered, body) = await Send(api.Anna, method, address);

        Assert.Equal(status, answered);
        Assert.StartsWith("urn:llmqueue:problem:", body.Text("type"), StringComparison.Ordinal);
        Assert.False(body.TryGetProperty("error", out _));
    }

    [Theory]
    [InlineData("/v1/chat/nothing", true)]
    [InlineData("/v1/models", true)]
    [InlineData("/v1/nothing", false)]
    [InlineData("/v1/queue", false)]
    public async Task Who_is_not_known_is_told_so_in_the_same_format(string address, bool openAi)
    {
        var (status, body) = await Send(api.Nobody, "GET", address);

        Assert.Equal((401, openAi), (status, body.TryGetProperty("error", out _)));
    }

    [Fact]
    public async Task Where_nothing_is_every_address_that_there_is_is_named()
    {
        var (_, body) = await Send(api.Anna, "GET", "/v1/nothing");

        var sentence = body.Text("detail");
        var addresses = api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Select(endpoint => endpoint.RoutePattern.RawText!.Split("/{")[0]).Distinct(StringComparer.Ordinal).ToList();
        Assert.Contains("/v1/webhooks", addresses);
        Assert.All(addresses, address => Assert.Contains(address, sentence, StringComparison.Ordinal));
    }

    private static async Task<(int Status, JsonElement Body)> Send(HttpClient client, string method, string address)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), address)
        {
            Content = method is "GET" ? null : new StringContent("{}", Encoding.UTF8, "application/json"),
        };
        using var response = await client.SendAsync(request, Cancel);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancel)).RootElement);
    }
}
