using System.Text.Json;
using LlmQueue.Worker.Scheduling;
using Npgsql;

namespace LlmQueue.Tests.Admission;

/// <summary>What a long line costs, in pages touched: unlike time, they are the same on every machine.</summary>
public sealed class LineCostTests
{
    [Fact]
    public async Task The_next_of_a_hundred_thousand_costs_what_the_next_of_a_thousand_costs()
    {
        await using var admission = await AdmissionUnderTest.Start("""{ "rpm": 30, "tpm": 8000 }""");

        var (few, rows) = await CostOf(admission, waiting: 1_000);
        var (many, sameRows) = await CostOf(admission, waiting: 100_000);

        Assert.Equal(rows, sameRows);
        Assert.InRange(many, 1, few * 1.2);
    }

    /// <summary>Pages touched by the reading of the lines' heads, and heads read, with so many tasks in five lines.</summary>
    private static async Task<(double Pages, double Rows)> CostOf(AdmissionUnderTest admission, int waiting)
    {
        await admission.Run($"""
            truncate tasks;
            insert into tasks (id, version, state, tenant, priority, high_stakes, max_output_tokens, submitted_at, spread, prompt_tokens, prompt_units, attempt, faults, reserved_tokens,
                waiting_since, line, start_tag, rung_at, input_tokens, output_tokens, cost_usd, cost_unknown, updated_at)
            select gen_random_uuid(), 1, 'WaitingForCapacity', 'tenant ' || i % 7, i % 3, false, 300, now(), false, 300, 300, 0, 0, 0,
                now(), 'line ' || i % 5, i, now(), 0, 0, 0, false, now() from generate_series(1, {waiting}) i;
            """);
        await admission.Run("vacuum (analyze) tasks");
        await using var connection = await admission.Database.OpenConnectionAsync();
        await using var explain = new NpgsqlCommand($"explain (analyze, buffers, format json) {WaitQueueHeads.Sql}", connection)
        {
            // As many of each class as both lines have.
            Parameters =
            {
                new NpgsqlParameter<int> { TypedValue = 50 }, new NpgsqlParameter<DateTime> { TypedValue = DateTime.UnixEpoch },
            },
        };
        var plan = JsonDocument.Parse((string)(await explain.ExecuteScalarAsync())!).RootElement[0].GetProperty("Plan");
        return (plan.GetProperty("Shared Hit Blocks").GetDouble() + plan.GetProperty("Shared Read Blocks").GetDouble(),
            plan.GetProperty("Actual Rows").GetDouble());
    }
}
