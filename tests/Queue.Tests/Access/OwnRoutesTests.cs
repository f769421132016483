using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Harness;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Access;

/// <summary>Our own routes besides handing in and looking: cancel, retry, events, waiting; and the document that promises them.</summary>
public sealed class OwnRoutesTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Question = """{"prompt":"Why?","kind":"analysis","complexity":"low"}""";
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_prefers_to_wait_has_the_task_with_its_answer()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;

        var task = await anna.PostText("/v1/tasks", Question, ("Prefer", "wait=20")).Body(200);
        using var unasked = await anna.PostText("/v1/tasks", Question, ("Prefer", "respond-async"));

        Assert.Equal("Completed", task.Text("state"));
        Assert.NotEmpty(task.Text("output"));
        Assert.Equal((202, "respond-async"), ((int)unasked.StatusCode, unasked.Headers.GetValues("Preference-Applied").Single()));
    }

    [Fact]
    public async Task A_canceled_task_is_retried_once_however_often_that_is_asked()
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new { hang = true }, times: 1);
        await using var queue = await WholeQueue.Start(Catalogue, simulator.BaseUrl);
        using var anna = queue.Anna;
        var id = (await anna.PostText("/v1/tasks", Question).Body(202)).Text("id");
        await Becomes(anna, id, "Calling");
        Assert.Contains("has not ended", (await anna.PostText($"/v1/tasks/{id}/retry", "").Body(409)).Text("title"),
            StringComparison.Ordinal);

        await anna.PostText($"/v1/tasks/{id}/cancel", "").Body(202);
        await Becomes(anna, id, "Canceled");
        var first = (await anna.PostText($"/v1/tasks/{id}/retry", "").Body(202)).Text("id");
        var second = (await anna.PostText($"/v1/tasks/{id}/retry", "").Body(202)).Text("id");

        Assert.Equal(first, second);
        Assert.NotEqual(id, first);
        Assert.NotEmpty((await Becomes(anna, first, "Completed")).Text("output"));
        Assert.Equal("Canceled", (await anna.Get($"/v1/tasks/{id}").Body(200)).Text("state"));
    }

    [Fact]
    public async Task A_tasks_life_is_told_as_it_happens_and_goes_on_where_a_reader_was_cut_off()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var anna = queue.Anna;
        var id = (await anna.PostText("/v1/tasks", Question).Body(202)).Text("id");

        var all = await Events(anna, id, null);
        var rest = await Events(anna, id, all[0].Id);

        Assert.Equal(["Submitted", "Calling", "Completed", "end"], all.Select(e => e.Name));
        Assert.Equal(all[1..], rest);
    }

    [Fact]
    public async Task The_document_names_every_route_and_every_field()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        using var nobody = queue.Client(null);
        var document = JsonDocument.Parse(await nobody.GetStringAsync("/openapi.json", Cancel)).RootElement;

        var routes = queue.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(
                m => $"{m} {e.RoutePattern.RawText!.Replace("**", "", StringComparison.Ordinal)}"))
            .Order(StringComparer.Ordinal);
        var promised = document.GetProperty("paths").EnumerateObject()
            .SelectMany(p => p.Value.EnumerateObject().Select(m => $"{m.Name.ToUpperInvariant()} {p.Name}"))
            .Order(StringComparer.Ordinal);
        Assert.Equal(routes, promised);
        foreach (var contract in new[] { typeof(LlmTask), typeof(SummarizePages) })
            Assert.Equal(contract.GetProperties().Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name)).Order(StringComparer.Ordinal),
                document.GetProperty("components").GetProperty("schemas").GetProperty(contract.Name)
                    .GetProperty("properties").EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
        Approval.Verify("openapi.txt", string.Concat(promised.Select(p => p + "\n")));
    }

    private static async Task<JsonElement> Becomes(HttpClient client, string id, string state)
    {
        JsonElement task = default;
        await Eventually.True($"the task is {state}", Soon,
            async () => (task = await client.Get($"/v1/tasks/{id}").Body(200)).Text("state") == state);
        return task;
    }

    private static async Task<List<(string? Id, string Name, string Data)>> Events(HttpClient client, string id, string? after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/tasks/{id}/events");
        if (after is not null)
            request.Headers.Add("Last-Event-ID", after);
        using var response = await client.SendAsync(request, Cancel);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return [.. (await response.Content.ReadAsStringAsync(Cancel))
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => !block.StartsWith(':')).Select(block =>
        {
            var fields = block.Split('\n').Select(line => line.Split(": ", 2))
                .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
            return (fields.GetValueOrDefault("id"), fields["event"], fields["data"]);
        })];
    }
}
