using System.Text;
using LlmQueue.Api.Wire;
using LlmQueue.Tests.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.HostileTenant;

/// <summary>Memory follows what has arrived, not what was announced, and all bodies together have a limit.</summary>
public sealed class BodyMemoryTests
{
    private readonly ServiceProvider _services = new ServiceCollection().AddSingleton<BodyBudget>().BuildServiceProvider();

    [Fact]
    public async Task A_length_that_is_only_announced_takes_no_memory()
    {
        var request = Request("{\"a\":1}");
        request.ContentLength = JsonBody.LargestBody;

        var before = GC.GetAllocatedBytesForCurrentThread();
        using var body = await JsonBody.Read(request, TestContext.Current.CancellationToken);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public async Task Bodies_beyond_the_limit_of_all_together_are_refused_until_others_are_done()
    {
        var budget = _services.GetRequiredService<BodyBudget>();
        var held = new DefaultHttpContext { RequestServices = _services };
        budget.Take(held, (int)(BodyBudget.MostBytes / 2));
        budget.Take(held, (int)(BodyBudget.MostBytes / 2));

        var refused = await Assert.ThrowsAsync<ProblemException>(() => JsonBody.Read(Request("{}"), TestContext.Current.CancellationToken));

        Assert.Equal((503, 5), (refused.Problem.Status, refused.Problem.RetryAfter));
    }

    private HttpRequest Request(string text)
    {
        var context = new DefaultHttpContext { RequestServices = _services };
        context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return context.Request;
    }
}
