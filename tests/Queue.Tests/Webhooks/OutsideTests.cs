using System.Net;
using LlmQueue.Api.Summaries;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Http;
using LlmQueue.Tests.Api;
using LlmQueue.Worker.Webhooks;
using Microsoft.AspNetCore.Http;

namespace LlmQueue.Tests.Webhooks;

/// <summary>Addresses that tenants name: where the queue goes for them, and how long.</summary>
public sealed class OutsideTests
{
    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("1.1.1.1", true)]
    [InlineData("2606:4700:4700::1111", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("64:ff9b::808:808", true)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("::7f00:1", false)]
    public void What_is_public_is_known_in_every_spelling(string address, bool isPublic) =>
        Assert.Equal(isPublic, PublicAddressRule.IsPublic(IPAddress.Parse(address)));

    [Fact]
    public void A_call_is_tried_again_for_three_days_and_no_longer()
    {
        var waited = TimeSpan.Zero;
        var attempt = 1;
        for (; WebhookRule.Decide(500, null, null, attempt, 0) is WebhookDecision.TryAgain again; attempt++)
            waited += again.Pause;

        Assert.Equal((10, new TimeSpan(75, 35, 5)), (attempt, waited));
    }

    [Theory]
    [InlineData(200, typeof(WebhookDecision.Delivered))]
    [InlineData(204, typeof(WebhookDecision.Delivered))]
    [InlineData(301, typeof(WebhookDecision.TryAgain))]
    [InlineData(404, typeof(WebhookDecision.TryAgain))]
    [InlineData(410, typeof(WebhookDecision.GiveUp))]
    [InlineData(500, typeof(WebhookDecision.TryAgain))]
    [InlineData(null, typeof(WebhookDecision.TryAgain))]
    public void Every_answer_has_one_decision(int? status, Type decision) =>
        Assert.IsType(decision, WebhookRule.Decide(status, "no answer", null, 1, 0.5));

    [Fact]
    public void A_receiver_that_asks_for_time_gets_it_up_to_a_day()
    {
        Assert.Equal(TimeSpan.FromMinutes(2),
            ((WebhookDecision.TryAgain)WebhookRule.Decide(429, null, TimeSpan.FromMinutes(2), 1, 0)).Pause);
        Assert.Equal(TimeSpan.FromDays(1), ((WebhookDecision.TryAgain)WebhookRule.Decide(503, null, TimeSpan.FromDays(9), 1, 0)).Pause);
        Assert.Equal(TimeSpan.FromSeconds(5),
            ((WebhookDecision.TryAgain)WebhookRule.Decide(503, null, TimeSpan.FromSeconds(1), 1, 0)).Pause);
    }

    [Fact]
    public async Task Pages_are_fetched_within_their_limits_and_each_that_cannot_be_had_says_why()
    {
        await using var site = await Receiver.Start(async (context, _) =>
        {
            switch (context.Request.Path.Value)
            {
                case "/page":
                    context.Response.ContentType = "text/html; charset=utf-8";
                    await context.Response.WriteAsync("<title>Tides</title><p>The tide comes at nine.");
                    break;
                case "/moved":
                    context.Response.Redirect("/page");
                    break;
                case "/inside":
                    // A name that leads to the same machine, and is not one that may be called.
                    context.Response.Redirect($"http://localhost:{context.Request.Host.Port}/page");
                    break;
                case "/round":
                    context.Response.Redirect("/round");
                    break;
                case "/large":
                    context.Response.ContentType = "text/plain";
                    for (var i = 0; i < 6; i++)
                        await context.Response.WriteAsync(new string('x', 1 << 20));
                    break;
                case "/image":
                    context.Response.ContentType = "image/png";
                    break;
                default:
                    context.Response.StatusCode = 404;
                    break;
            }
        });
        using var outside = new OutboundHttp(["127.0.0.1"]);
        string[] paths = ["/page", "/moved", "/inside", "/round", "/large", "/image", "/nobody"];
        var pages = paths.Select(path => new PageContent { Url = site.Url + path })
            .Append(new PageContent { Url = "http://10.0.0.1/" }).Append(new PageContent { Url = "file:///etc/passwd" })
            .Append(new PageContent { Text = "mine" }).ToList();

        var (filled, wrong) = await new PageFetch(outside).Fill(pages, TestContext.Current.CancellationToken);

        Assert.Contains("The tide comes at nine", filled[0].Html, StringComparison.Ordinal);
        Assert.Equal(filled[0].Html, filled[1].Html);
        Assert.Equal("mine", filled[9].Text);
        Assert.Equal([2, 3, 4, 5, 6, 7, 8], wrong.Keys.Order());
        Assert.Contains("private network", wrong[2], StringComparison.Ordinal);
        Assert.Contains("redirected more than 5 times", wrong[3], StringComparison.Ordinal);
        Assert.Contains("larger than 5 MB", wrong[4], StringComparison.Ordinal);
        Assert.Contains("image/png", wrong[5], StringComparison.Ordinal);
        Assert.Contains("404", wrong[6], StringComparison.Ordinal);
        Assert.Contains("private network", wrong[7], StringComparison.Ordinal);
        Assert.Contains("absolute http or https", wrong[8], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://[::ffff:10.0.0.1]/")]
    [InlineData("http://[fe80::1]/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://user:secret@127.0.0.1/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://127.0.0.1/")]
    public async Task A_redirect_leads_nowhere_that_an_address_may_not(string target)
    {
        await using var site = await Receiver.Start((context, _) =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = target;
            return Task.CompletedTask;
        });
        using var outside = new OutboundHttp(["localhost"]);

        var why = await WhyNot(outside, site.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal));

        Assert.Matches("private network|carries a user|absolute http or https", why);
        Assert.Single(site.Calls);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("fd00::1")]
    [InlineData("169.254.169.254")]
    [InlineData("8.8.8.8,127.0.0.1")]
    public async Task A_name_that_leads_inside_is_not_connected_to(string addresses)
    {
        await using var site = await Receiver.Start((_, _) => Task.CompletedTask);
        using var outside = new OutboundHttp([], (_, _) => Task.FromResult(Array.ConvertAll(addresses.Split(','), IPAddress.Parse)));

        Assert.Contains("private network", await WhyNot(outside, $"http://rebinding.example:{new Uri(site.Url).Port}/"),
            StringComparison.Ordinal);
        Assert.Empty(site.Calls);
    }

    [Fact]
    public async Task The_address_that_was_checked_is_the_one_that_is_connected_to()
    {
        await using var site = await Receiver.Start((_, _) => Task.CompletedTask);
        using var stop = new CancellationTokenSource();
        var asked = 0;
        // Public when it is looked at, this machine ever after: whoever asked a second time would come in.
        using var outside = new OutboundHttp([], (_, _) =>
        {
            var first = Interlocked.Increment(ref asked) == 1;
            stop.CancelAfter(TimeSpan.FromSeconds(1));
            return Task.FromResult(new[] { IPAddress.Parse(first ? "192.31.196.1" : "127.0.0.1") });
        });

        await Assert.ThrowsAnyAsync<Exception>(
            () => outside.Client.GetAsync($"http://rebinding.example:{new Uri(site.Url).Port}/", stop.Token));

        Assert.Equal(1, asked);
        Assert.Empty(site.Calls);
    }

    [Fact]
    public async Task What_is_packed_slow_or_has_endless_headers_is_left_where_it_is()
    {
        var (never, nothing) = (new TaskCompletionSource(), new byte[1 << 20]);
        await using var site = await Receiver.Start(async (context, _) =>
        {
            context.Response.ContentType = "text/plain";
            switch (context.Request.Path.Value)
            {
                case "/packed":
                    // A gigabyte of nothing, as a megabyte.
                    context.Response.Headers.ContentEncoding = "gzip";
                    await using (var gzip = new System.IO.Compression.GZipStream(context.Response.Body,
                        System.IO.Compression.CompressionLevel.Fastest))
                        for (var i = 0; i < 1024 && !context.RequestAborted.IsCancellationRequested; i++)
                            await gzip.WriteAsync(nothing, context.RequestAborted);
                    break;
                case "/slow":
                    await context.Response.WriteAsync("It begins");
                    await context.Response.Body.FlushAsync();
                    await never.Task;
                    break;
                default:
                    for (var i = 0; i < 64; i++)
                        context.Response.Headers[$"x-{i}"] = new string('x', 1000);
                    break;
            }
        });
        using var outside = new OutboundHttp(["127.0.0.1"]);
        var fetch = new PageFetch(outside) { Longest = TimeSpan.FromSeconds(2) };

        var (_, wrong) = await fetch.Fill(
            [new PageContent { Url = site.Url + "/packed" }, new PageContent { Url = site.Url + "/slow" },
                new PageContent { Url = site.Url + "/headers" }],
            TestContext.Current.CancellationToken);
        never.SetResult();

        Assert.Contains("packed as gzip", wrong[0], StringComparison.Ordinal);
        Assert.Contains("did not come within 2 s", wrong[1], StringComparison.Ordinal);
        Assert.Contains("Page 3 could not be fetched", wrong[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pages_that_are_too_much_together_stop_where_it_is_too_much()
    {
        await using var site = await Receiver.Start(async (context, _) =>
        {
            context.Response.ContentType = "text/plain";
            await context.Response.WriteAsync(new string('x', 4 << 20));
        });
        using var outside = new OutboundHttp(["127.0.0.1"]);

        var (filled, wrong) = await new PageFetch(outside).Fill(
            [.. Enumerable.Range(0, 14).Select(i => new PageContent { Url = $"{site.Url}/{i}" })], TestContext.Current.CancellationToken);

        Assert.InRange(filled.Count(p => p.Text is not null), 8, 12);
        Assert.NotEmpty(wrong);
        Assert.All(wrong.Values, why => Assert.Contains("larger than 50 MB together", why, StringComparison.Ordinal));
    }

    private static async Task<string> WhyNot(OutboundHttp outside, string url) =>
        Assert.Single(
            (await new PageFetch(outside).Fill([new PageContent { Url = url }], TestContext.Current.CancellationToken)).Wrong).Value;
}
