using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Access;

/// <summary>One tenant can neither see nor guess another's work, a reader changes nothing, and nobody calls too often.</summary>
public sealed class TenantTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_route_answers_one_tenant_with_the_others_ids()
    {
        await using var queue = await Start();
        using var anna = queue.Anna;
        using var ben = queue.Ben;
        var hers = await Ids(anna);
        var (file, batch) = (hers["/v1/files/"].Hers, hers["/v1/batches/"].Hers);

        var asked = 0;
        foreach (var (method, template, known, unknown) in Routes(queue, hers))
        {
            var (one, other) = (await Ask(ben, method, template.Replace("{id}", known, StringComparison.Ordinal)),
                await Ask(ben, method, template.Replace("{id}", unknown, StringComparison.Ordinal)));
            Assert.True(one == other && one.Status == 404, $"{method} {template}: hers {one}, nobody's {other}");
            asked++;
        }

        Assert.True(asked >= 18, $"Only {asked} routes have an id.");
        foreach (var list in new[] { "/v1/tasks", "/v1/files", "/v1/batches", "/v1/webhooks" })
        {
            var listed = await ben.GetStringAsync(list, Cancel);
            Assert.DoesNotContain(hers.Values, ids => listed.Contains(ids.Hers, StringComparison.Ordinal));
        }

        // Nor does an id as the place to go on from, or a file to make a batch of, tell anything.
        Assert.Equal(404, (int)(await ben.Get($"/v1/files?after={file}")).StatusCode);
        Assert.Equal(404, (int)(await ben.Get($"/v1/batches?after={batch}")).StatusCode);
        Assert.Equal(400, (int)(await ben.PostText("/v1/batches",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""")).StatusCode);
        Assert.Equal(200, (int)(await anna.Get($"/v1/files/{file}")).StatusCode);
    }

    [Fact]
    public async Task The_time_of_an_answer_does_not_tell_whether_an_id_is_somebodys()
    {
        await using var queue = await Start();
        using var anna = queue.Anna;
        using var ben = queue.Ben;
        var hers = await Ids(anna);
        var told = new List<string>();
        foreach (var (method, template, known, unknown) in Routes(queue, hers))
        {
            var (one, other) = (0d, 0d);
            // A difference that is there is there every time; one that the machine made is not.
            for (var tries = 0; tries < 4; tries++)
            {
                (one, other) = await Medians(ben, method, template.Replace("{id}", known, StringComparison.Ordinal),
                    template.Replace("{id}", unknown, StringComparison.Ordinal));
                if (Math.Abs(one - other) < Math.Max(one, other) / 4)
                    break;
                if (tries == 3)
                    told.Add($"{method} {template}: another's {one:0.000} ms, nobody's {other:0.000} ms");
            }

            Chaos.Moments.Write($"{method} {template}: another's {one:0.000} ms, nobody's {other:0.000} ms");
        }

        Assert.True(told.Count == 0, string.Join('\n', told));
    }

    [Fact]
    public async Task A_reading_token_looks_and_changes_nothing_and_a_hash_serves_as_well_as_its_secret()
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("third-secret")));
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl,
            ("LLMQUEUE_TOKENS", $"anna:sha256-{hash}"), ("LLMQUEUE_READ_TOKENS", "anna:looking-secret"));
        using var anna = queue.Client("third-secret");
        using var reader = queue.Client("looking-secret");
        using var thief = queue.Client($"sha256-{hash}");
        var id = (await anna.PostText("/v1/tasks", """{"prompt":"Why?"}""").Body(202)).Text("id");

        Assert.Equal(id, (await reader.Get($"/v1/tasks/{id}").Body(200)).Text("id"));
        var refusals = new List<string>();
        foreach (var route in queue.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
            foreach (var method in route.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Where(m => m != "GET"))
                refusals.Add(
                    $"{(await Ask(reader, method, route.RoutePattern.RawText!.Replace("{id}", id, StringComparison.Ordinal))).Status} "
                        + $"{method} {route.RoutePattern.RawText}");
        Assert.All(refusals, r => Assert.StartsWith("403 ", r, StringComparison.Ordinal));
        Assert.True(refusals.Count >= 10);
        // Who has read the settings has not read the secret.
        Assert.Equal(401, (int)(await thief.Get("/v1/tasks")).StatusCode);
    }

    [Fact]
    public async Task Who_calls_too_often_is_told_when_to_come_back()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl,
            ("LLMQUEUE_REQUESTS_PER_MINUTE", "5"));
        using var anna = queue.Anna;
        using var ben = queue.Ben;
        using var first = await anna.Get("/v1/models");
        for (var i = 0; i < 4; i++)
            Assert.Equal(200, (int)(await anna.Get("/v1/models")).StatusCode);

        using var refused = await anna.Get("/v1/models");

        Assert.Equal(("\"requests\";q=5;w=60", "\"requests\";r=4;t=12"),
            (first.Headers.GetValues("RateLimit-Policy").Single(), first.Headers.GetValues("RateLimit").Single()));
        Assert.Equal(429, (int)refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 12);
        Assert.Equal("rate_limit_error",
            JsonDocument.Parse(await refused.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error").Text("type"));
        Assert.Equal(200, (int)(await ben.Get("/v1/models")).StatusCode);
    }

    private async Task<WholeQueue> Start() =>
        await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl,
            ("LLMQUEUE_WEBHOOK_SECRETS", "anna:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="));

    /// <summary>By the beginning of its routes: an id of Anna's, and one of nobody's.</summary>
    private static async Task<Dictionary<string, (string Hers, string Nobodys)>> Ids(HttpClient anna)
    {
        var task = (await anna.PostText("/v1/tasks",
            """{"prompt":"Why?","webhookUrl":"http://webhook.invalid/","conversation":"annas-talk"}""", ("Prefer", "wait=20"))
            .Body(200))
            .Text("id");
        var file = await anna.Upload(BatchClient.Line("x"));
        var batch = (await anna.CreateBatch(file)).Text("id");
        var summary = (await anna.PostText("/v1/summaries", """{"pages":[{"text":"A page."}]}""").Body(202)).Text("id");
        var chat = (
            await anna.PostText("/v1/chat/completions", """{"model":"auto","messages":[{"role":"user","content":"Why?"}]}""").Body(200))
            .Text("id");
        var webhook = (await anna.Get("/v1/webhooks").Body(200)).GetProperty("items")[0].Text("id");
        return new Dictionary<string, (string Hers, string Nobodys)>(StringComparer.Ordinal)
        {
            ["/v1/tasks/"] = (task, Guid.CreateVersion7().ToString()), ["/v1/files/"] = (file, $"file-{Guid.NewGuid():N}"),
            ["/v1/batches/"] = (batch, $"batch_{Guid.CreateVersion7():N}"),
            ["/v1/summaries/"] = (summary, Guid.CreateVersion7().ToString()),
            ["/v1/chat/completions/"] = (chat, $"chatcmpl-{Guid.CreateVersion7():N}"),
            ["/v1/webhooks/"] = (webhook, Guid.CreateVersion7().ToString()), ["/v1/conversations/"] = ("annas-talk", "nobodys-talk"),
        };
    }

    /// <summary>
    /// Every route with an id, by every method. One that is not in the list is a route that nobody has thought about here.
    /// </summary>
    private static IEnumerable<(string Method, string Template, string Hers, string Nobodys)> Routes(
        WholeQueue queue, Dictionary<string, (string Hers, string Nobodys)> hers) =>
        from route in queue.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        let template = route.RoutePattern.RawText!.Replace("{**id}", "{id}", StringComparison.Ordinal)
        // Models are everybody's.
        where template.Contains("{id}", StringComparison.Ordinal) && !template.StartsWith("/v1/models/", StringComparison.Ordinal)
        let ids = hers.First(h => template.StartsWith(h.Key, StringComparison.Ordinal)).Value
        from method in route.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods
        select (method, template, ids.Hers, ids.Nobodys);

    /// <summary>In turns, so that what the machine does besides falls on both.</summary>
    private static async Task<(double One, double Other)> Medians(HttpClient client, string method, string one, string other)
    {
        const int Warm = 20, Counted = 100;
        var (first, second) = (new List<double>(), new List<double>());
        for (var i = 0; i < Warm + Counted; i++)
        {
            first.Add(await Time(client, method, one));
            second.Add(await Time(client, method, other));
        }

        return (Median(first.Skip(Warm)), Median(second.Skip(Warm)));
    }

    private static async Task<(int Status, string Body)> Ask(HttpClient client, string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method is "POST" or "PUT")
            request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        using var response = await client.SendAsync(request, Cancel);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }

    private static async Task<double> Time(HttpClient client, string method, string path)
    {
        var began = Stopwatch.GetTimestamp();
        await Ask(client, method, path);
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToList() is var sorted ? sorted[sorted.Count / 2] : 0;
}
