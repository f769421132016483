using LlmQueue.Store;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Classification;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace LlmQueue.Tests.Classification;

public sealed class ClassificationCacheTests
{
    [Fact]
    public async Task A_worker_that_was_asked_and_never_told_shares_nothing_and_lives_on()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var store = new ServiceCollection().AddLogging().AddQueueStore(await (await SharedServers.Postgres).CreateDatabase()).BuildServiceProvider();
        await store.PrepareQueueStore(cancel);
        using var cache = new ClassificationCache(store.GetRequiredService<NpgsqlDataSource>(), TimeProvider.System, NullLogger<ClassificationCache>.Instance);
        await cache.Load(cancel);
        await cache.StartAsync(cancel);

        Assert.Null(cache.Find("nobody"));
        await cache.StopAsync(cancel);

        // A fault of the loop would be thrown here; in a host it ends the process.
        await cache.ExecuteTask!;
    }
}
