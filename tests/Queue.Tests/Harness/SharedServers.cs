using LlmQueue.Tests.Chaos;

[assembly: AssemblyFixture(typeof(LlmQueue.Tests.Harness.SharedServers))]

namespace LlmQueue.Tests.Harness;

/// <summary>
/// The servers that all tests of a run share, each started when the first test asks for it; every test has a database and a virtual host
/// of its own on them. A test that stops or kills a server starts its own with <c>StartNew</c>.
/// </summary>
public sealed class SharedServers : IAsyncDisposable
{
    private static readonly Lazy<Task<PostgresServer>> postgres = new(() => Detached(PostgresServer.StartNew));
    private static readonly Lazy<Task<RabbitServer>> rabbit = new(() => Detached(RabbitServer.StartNew));

    public static Task<PostgresServer> Postgres => OrSkip(postgres.Value);

    public static Task<RabbitServer> Rabbit => OrSkip(rabbit.Value);

    internal static bool AreRequired =>
        string.Equals(Environment.GetEnvironmentVariable("LLMQUEUE_TESTS_REQUIRE_SERVERS"), "1", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await End(rabbit);
        await End(postgres);
    }

    // Off the context of the first test that asks: it may be canceled, and the others still need the server.
    private static Task<T> Detached<T>(Func<Task<T>> start)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(start);
        }
    }

    private static async Task<T> OrSkip<T>(Task<T> server)
    {
        try
        {
            return await server;
        }
        catch (InvalidOperationException missing) when (!AreRequired)
        {
            Assert.Skip(missing.Message);
            throw;
        }
    }

    private static async Task End<T>(Lazy<Task<T>> server)
        where T : IAsyncDisposable
    {
        if (server is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            await (await server.Value).DisposeAsync();
        }
    }
}
