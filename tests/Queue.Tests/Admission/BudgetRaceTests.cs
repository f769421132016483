using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Tests.Harness;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Admission;

/// <summary>Many at once against a budget for some.</summary>
public sealed class BudgetRaceTests
{
    private const decimal Budget = 0.45m;

    [Fact]
    public async Task A_thousand_at_once_never_overspend_and_none_is_turned_away_while_money_is_left()
    {
        await using var simulator = await SimulatorProcess.Start("--unlimited", "--latency-ms", "20-60");
        await using var worker = await AdmissionUnderTest.StartWhole("{}", new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["GROQ_BASE_URL"] = simulator.BaseUrl, ["BUDGET_DAILY_USD"] = "0.45",
        });
        // The database itself looks at every change of the budget: "at any moment" is every committed state and every one on the way.
        await worker.Run("""
            create table seen (most numeric not null);
            insert into seen values (0);
            create function look() returns trigger language plpgsql as $$ begin
                update seen set most = greatest(most, new.spent_usd + new.reserved_usd - new.settled_usd - new.released_usd);
                return new; end $$;
            create trigger look after update on budgets for each row when (new.scope = 'installation') execute function look();
            """);
        await worker.Begin();
        var bus = worker.Services.GetRequiredService<IBus>();
        await Eventually.True("the bus is up", TimeSpan.FromSeconds(20),
            () => bus is IBusControl control && control.CheckHealth().Status == BusHealthStatus.Healthy);

        // Each may cost about $0.0011 and costs less in the end: what comes back pays for others.
        var text = string.Concat(Enumerable.Repeat("The bridge was closed for repairs and the drivers took the longer road. ", 20));
        await Task.WhenAll(Enumerable.Range(0, 1000).Select(i =>
            bus.Publish(new LlmTask
            {
                Id = Guid.CreateVersion7(), Prompt = $"Say something short about the number {i}. {text}", Kind = "creative",
                Complexity = "low", MaxOutputTokens = 200,
            })));

        await Eventually.True("all are settled: answered, or waiting for money that is not there", TimeSpan.FromSeconds(90), async () =>
            await worker.Ask<long>("select count(*) from tasks where state = 'Completed' or (state = 'WaitingForBudget' and reserved_usd > "
                + "(select limit_usd - spent_usd - reserved_usd + settled_usd + released_usd from budgets where scope = 'installation' and "
                + "period_start <= now() and period_end > now()))") == 1000
                ? true
                : throw new InvalidOperationException(await worker.Ask<string>("select (select string_agg(s, ', ') from (select count(*) "
                    + "|| ' ' || state as s from tasks group by state) x) || '; ' || (select string_agg(b::text, ' ') from budgets b)")));

        Assert.InRange(await worker.Ask<decimal>("select most from seen"), 0.44m, Budget);
        Assert.Equal(0, await worker.Ask<long>("select count(*) from tasks where state in ('Rejected', 'Failed')"));
        Assert.Equal(0m,
            await worker.Ask<decimal>("select reserved_usd - settled_usd - released_usd from budgets where scope = 'installation' and "
                + "period_start <= now() and period_end > now()"));
        Assert.InRange(await worker.Ask<long>("select count(*) from tasks where state = 'Completed'"), 450, 999);
    }
}
