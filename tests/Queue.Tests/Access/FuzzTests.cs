using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using LlmQueue.Tests.Webhooks;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Access;

/// <summary>
/// Requests that were right once and have been tampered with, over every route: no 500, no hang, no growth, and every refusal
/// says what was wrong.
/// </summary>
public sealed class FuzzTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const int Seed = 20261121, Lanes = 4;
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    // JSON that is legal, and means trouble.
    private static readonly string[] Values =
    [
        "null", "true", "[]", "{}", "-1", "0", "1e400", "99999999999999999999", "3.5", "\"\"", "\" \"", "\"\\u0000\"", "\"\\ud800\"",
        "\"\\udc00\\ud800\"", "\"'; drop table tasks; --\"", "[[[[[[[[]]]]]]]]", "[null]", "{\"\":null}",
        "\"9999-12-31T23:59:59.9999999Z\"", "\"0001-01-01T00:00:00Z\"", "\"file-00000000000000000000000000000000\"", "\"../../etc/passwd\"",
        "\"http://[::\"",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tampered_requests_are_refused_with_a_reason_and_never_met_with_a_fault()
    {
        const int count = 10_000;
        var began = TimeProvider.System.GetTimestamp();
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl,
            ("LLMQUEUE_WEBHOOK_SECRETS", $"anna:{WebhookTests.Secret}"));
        using var anna = queue.Anna;
        var seeds = await Seeds(anna);
        AssertEveryRouteIsThere(queue, seeds);
        var (byStatus, wrong, early) = (new ConcurrentDictionary<int, int>(), new ConcurrentQueue<string>(), 0L);
        foreach (var half in new[] { 0, 1 })
        {
            // Side by side, each lane with a chance of its own, so that a run can be repeated.
            await Parallel.ForEachAsync(Enumerable.Range(0, Lanes),
                new ParallelOptions { MaxDegreeOfParallelism = Lanes, CancellationToken = Cancel }, async (lane, _) =>
            {
                var chance = new Random(Seed + (half * Lanes) + lane);
                for (var i = 0; i < count / 2 / Lanes; i++)
                {
                    var tampered = Tampered(seeds[chance.Next(seeds.Count)], chance);
                    var (status, body) = await Answer(anna, tampered);
                    byStatus.AddOrUpdate((int)status, 1, (_, n) => n + 1);
                    if ((int)status >= 500 || ((int)status >= 400 && tampered.Method != "HEAD" && !SaysWhy(body, status)))
                        wrong.Enqueue($"{(int)status} for {tampered.Method} {tampered.Path} "
                            + $"{tampered.ContentType}\n{tampered.Body[..Math.Min(400, tampered.Body.Length)]}\n→ "
                            + $"{body[..Math.Min(400, body.Length)]}");
                }
            });
            if (half == 0)
                early = GC.GetTotalMemory(forceFullCollection: true);
        }

        var grown = GC.GetTotalMemory(forceFullCollection: true) - early;
        Chaos.Moments.Write($"fuzz: {count} requests in {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0} s, "
            + $"answers {string.Join(", ", byStatus.OrderBy(s => s.Key))}, memory grown by {grown >> 10} KB in the second half");
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {count}, the first:\n{string.Join("\n\n", wrong.Take(5))}");
        // A fuzzer whose every request is refused at the first look shows nothing, and so does one whose requests are all right.
        Assert.True(
            byStatus.Where(s => s.Key is >= 200 and < 300).Sum(s => s.Value) > count / 20
                && byStatus.Where(s => s.Key >= 400).Sum(s => s.Value) > count / 5,
            string.Join(", ", byStatus.OrderBy(s => s.Key)));
        Assert.True(grown < 30 << 20, $"The second half of the requests left {grown >> 20} MB behind.");
        Assert.Equal(200, (int)(await anna.Get("/health/ready")).StatusCode);
    }

    private static async Task<(HttpStatusCode Status, string Body)> Answer(HttpClient client, Sample sample)
    {
        using var request = Request(sample);
        using var response = await client.SendAsync(request, Cancel);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }

    private static void AssertEveryRouteIsThere(WholeQueue queue, List<Sample> seeds)
    {
        var routes = queue.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(r => r.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => (Method: m, Path: new Regex(
                $"^{Regex.Replace(r.RoutePattern.RawText!, @"\{[^}]*\}", "[^/?]+", RegexOptions.None, TimeSpan.FromSeconds(1))}(\\?.*)?$",
                RegexOptions.None, TimeSpan.FromSeconds(1)))));
        Assert.Empty(
            routes.Where(r => !seeds.Exists(s => s.Method == r.Method && r.Path.IsMatch(s.Path))).Select(r => $"{r.Method} {r.Path}"));
    }

    private static bool SaysWhy(string body, HttpStatusCode status)
    {
        // Some are refused by the web server itself, before a route is known.
        if (body.Length == 0)
            return status is HttpStatusCode.BadRequest or HttpStatusCode.RequestHeaderFieldsTooLarge;
        var root = JsonDocument.Parse(body).RootElement;
        return (root.TryGetProperty("detail", out var detail) ? detail : root.GetProperty("error").GetProperty("message"))
            .GetString()!.Length > 10;
    }

    private static async Task<List<Sample>> Seeds(HttpClient anna)
    {
        const string Json = "application/json", Task = """{"prompt":"Why?","kind":"analysis","complexity":"low","priority":"normal","maxOutputTokens":20,"deadline":"2099-01-01T00:00:00Z","parameters":{"temperature":0.5,"stop":["x"]},"metadata":{"a":"b"},"webhookUrl":"https://example.com/x"}""";
        var file = await anna.Upload(BatchClient.Line("x"));
        var deleted = await anna.Upload(BatchClient.Line("z"));
        var task = (await anna.PostText("/v1/tasks",
            Task.Replace("https://example.com/x\"", "http://webhook.invalid/\",\"conversation\":\"talk\"", StringComparison.Ordinal),
            ("Prefer", "wait=20"))
            .Body(200))
            .Text("id");
        var webhook = (await anna.Get("/v1/webhooks").Body(200)).GetProperty("items")[0].Text("id");
        var batch = (await anna.CreateBatch(file)).Text("id");
        var summary = (await anna.PostText("/v1/summaries", """{"pages":[{"text":"A page."}]}""").Body(202)).Text("id");
        const string Chat = """{"model":"small","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":[{"type":"text","text":"Why?"}]}],"max_tokens":20,"temperature":0.3,"stream":false,"tools":[{"type":"function","function":{"name":"x"}}],"metadata":{"a":"b"}}""";
        var form = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; "
            + $"name=\"file\"; filename=\"x.jsonl\"\r\n\r\n{BatchClient.Line("x")}\r\n--b--\r\n";
        return
        [
            new("POST", "/v1/tasks", Task, Json), new("POST", "/v1/tasks", $"[{Task},{Task}]", Json),
            new("GET", "/v1/tasks?state=Completed&kind=analysis&limit=5", "", null), new("GET", $"/v1/tasks/{task}", "", null),
            new("DELETE", $"/v1/tasks/{task}", "", null), new("POST", $"/v1/tasks/{task}/cancel", "", null),
            new("POST", $"/v1/tasks/{task}/retry", "", null),
            new("POST", "/v1/summaries",
                """{"pages":[{"title":"One","text":"A page of text."},{"html":"<p>Another</p>"}],"question":"Why?","priority":"batch"}""",
                Json),
            new("GET", $"/v1/summaries/{summary}", "", null),
            new("GET", $"/v1/summaries/{summary}/progress", "", null), new("DELETE", $"/v1/summaries/{summary}", "", null),
            new("POST", "/v1/files", form, "multipart/form-data; boundary=b"),
            new("GET", "/v1/files?limit=5&order=asc&purpose=batch", "", null), new("GET", $"/v1/files/{file}", "", null),
            new("GET", $"/v1/files/{file}/content", "", null),
            new("POST", "/v1/batches", $$$"""{"input_file_id":"{{{file}}}","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"a":"b"},"output_expires_after":{"anchor":"created_at","seconds":3600}}""", Json),
            new("POST", "/v1/batches",
                $$"""{"endpoint":"/v1/chat/completions","completion_window":"30m","requests":[{{BatchClient.Line("y")}}]}""", Json),
            new("GET", "/v1/batches?limit=5", "", null), new("GET", $"/v1/batches/{batch}", "", null),
            new("POST", $"/v1/batches/{batch}/cancel", "", null), new("POST", "/v1/chat/completions", Chat, Json),
            new("GET", "/v1/models", "", null), new("GET", "/v1/models/groq:small", "", null), new("GET", "/v1/queue", "", null),
            new("PUT", "/v1/budgets/installation/day", """{"limitUsd":5}""", Json), new("GET", "/health/live", "", null),
            new("GET", "/health/ready", "", null), new("GET", "/openapi.json", "", null),
            new("GET", $"/v1/tasks/{task}/events", "", null),
            new("POST", $"/v1/tasks/{task}/feedback", """{"score":0.8,"comment":"Good."}""", Json), new("GET", "/v1/ranking", "", null),
            new("GET", "/v1/conversations/talk", "", null),
            new("GET", "/v1/webhooks?state=due&limit=5", "", null), new("GET", $"/v1/webhooks/{webhook}", "", null),
            new("POST", $"/v1/webhooks/{webhook}/replay", "", null),
            new("GET", $"/v1/chat/completions/chatcmpl-{Guid.Parse(task):N}", "", null), new("DELETE", $"/v1/files/{deleted}", "", null),
        ];
    }

    /// <summary>One to three changes.</summary>
    private static Sample Tampered(Sample sample, Random chance)
    {
        for (var changes = chance.Next(1, 4); changes > 0; changes--)
            // What has a body is mostly changed there: an address that is none is soon refused.
            sample = chance.Next(sample.Body.Length == 0 ? 8 : 20) switch
            {
                0 => sample with { Method = new[] { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS" }[chance.Next(7)] },
                1 => sample with
                {
                    Path = sample.Path + new[]
                    {
                        "/", "?after=nobody", "?limit=-1", "%00", "/../..", "?state=%ff%fe", "?x=" + new string('y', 500), "//x",
                        "?limit=99999999999",
                    }[chance.Next(9)],
                },
                2 when sample.Path.Length > 8 =>
                    sample with { Path = Cut(sample.Path, chance.Next(4, sample.Path.Length), chance.Next(1, 4)) },
                3 => sample with
                {
                    ContentType = new[]
                    {
                        "text/plain", "application/xml", "multipart/form-data", "application/json; charset=utf-16", null,
                    }[chance.Next(5)],
                },
                4 or 18 when sample.Body.Length > 1 => sample with { Body = sample.Body[..chance.Next(sample.Body.Length)] },
                5 or 19 when sample.Body.Length > 1 =>
                    sample with { Body = sample.Body.Insert(chance.Next(sample.Body.Length), ((char)chance.Next(1, 0x2FF)).ToString()) },
                _ when sample.Body.StartsWith('{') || sample.Body.StartsWith('[') =>
                    sample with { Body = WithAnotherValue(sample.Body, chance) },
                > 7 => sample with { Body = Cut(sample.Body, chance.Next(sample.Body.Length), chance.Next(1, 4)) },
                _ => sample with { Path = sample.Path.Replace("/v1/", "/v1/" + (char)chance.Next('a', 'z'), StringComparison.Ordinal) },
            };
        return sample;
    }

    /// <summary>What stands after some colon is something else, or the name before it is.</summary>
    private static string WithAnotherValue(string json, Random chance)
    {
        var colons = Enumerable.Range(0, json.Length).Where(i => json[i] == ':' && i > 0 && json[i - 1] == '"').ToList();
        if (colons.Count == 0)
            return json + Values[chance.Next(Values.Length)];
        var at = colons[chance.Next(colons.Count)] + 1;
        var (end, depth, quoted) = (at, 0, false);
        for (; end < json.Length; end++)
        {
            if (json[end] == '"')
                quoted = !quoted;
            if (quoted)
                continue;
            if (json[end] is '{' or '[')
                depth++;
            if (json[end] is '}' or ']' && depth-- == 0)
                break;
            if (json[end] == ',' && depth == 0)
                break;
        }

        return json[..at] + Values[chance.Next(Values.Length)] + json[end..];
    }

    private static string Cut(string text, int at, int length) => text.Remove(at, Math.Min(length, text.Length - at));

    private static HttpRequestMessage Request(Sample sample)
    {
        var request = new HttpRequestMessage(new HttpMethod(sample.Method), new Uri(sample.Path, UriKind.Relative))
        {
            Content = sample.Body.Length == 0 ? null : new ByteArrayContent(Encoding.UTF8.GetBytes(sample.Body)),
        };
        if (request.Content is not null
            && sample.ContentType is not null
            && MediaTypeHeaderValue.TryParse(sample.ContentType, out var type))
            request.Content.Headers.ContentType = type;
        // An answer is not what is meant here.
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        return request;
    }

    private sealed record Sample(string Method, string Path, string Body, string? ContentType);
}
