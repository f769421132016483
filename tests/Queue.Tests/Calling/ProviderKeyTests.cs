using System.Text.Json;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Calling;

/// <summary>A provider's key goes into the Authorization header and nowhere else, whatever a provider says about it.</summary>
public sealed class ProviderKeyTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private const string Secret = "sk-live-4f9c1e7ab2d84c55";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(400)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(200)]
    public async Task A_key_that_a_provider_quotes_is_in_no_row_no_event_and_no_log(int status)
    {
        var simulator = await simulators.Fresh();
        await simulator.PostFault(new
        {
            status, body = new
            {
                error = new
                {
                    message = $"Incorrect API key provided: {Secret}. You can find yours in the console.", type = "invalid_request_error",
                    code = "invalid_api_key",
                },
            },
        }, times: 50);
        await using var queue = await QueueUnderTest.Start(new QueueSetup
        {
            Catalogue = TestCatalogue.Of(new TestModel("small")), ProviderUrl = simulator.BaseUrl, Keys = [("org-1", Secret)],
        });

        var id = await queue.Ask();
        await Eventually.True("the provider has answered", TimeSpan.FromSeconds(20),
            async () => (await queue.Attempts(id)).Exists(a => a.EndedAt is not null));

        // That it was quoted is what makes the rest worth looking at.
        Assert.Contains((await queue.Attempts(id)).Select(a => a.Detail),
            d => d?.Contains("groq-1", StringComparison.Ordinal) == true || status is 429);
        await using var rows = NpgsqlDataSource.Create(queue.Database);
        foreach (var table in await Values(rows,
            "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname not in "
                + "('pg_catalog', 'information_schema')"))
            Assert.Empty(await Values(rows, $"select t::text from {table} t where t::text like '%{Secret}%'"));
        Assert.DoesNotContain(queue.Warnings, w => w.Contains(Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(queue.Events<object>(),
            e => JsonSerializer.Serialize(e, e.GetType()).Contains(Secret, StringComparison.Ordinal));
    }

    private static async Task<List<string>> Values(NpgsqlDataSource rows, string sql)
    {
        await using var command = rows.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync(Cancel);
        var values = new List<string>();
        while (await reader.ReadAsync(Cancel))
            values.Add(reader.GetString(0));
        return values;
    }
}
