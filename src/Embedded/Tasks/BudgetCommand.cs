using System.CommandLine;
using System.Globalization;
using LlmQueue.Embedded.Clients;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Limits;

namespace LlmQueue.Embedded.Tasks;

/// <summary>
/// The command ./run.sh budget: sets a budget, while the queue runs or before; tasks that wait for the money move at once.
/// </summary>
internal static class BudgetCommand
{
    private const string Unlimited = "none";

    /// <summary>A larger amount is a slip, and one that no column holds would be blamed on the database.</summary>
    private const decimal Highest = 1_000_000_000;

    public static Command Define(CommandContext context)
    {
        var amount = new Argument<string>("USD") { Description = "US dollars, or 'none' to lift the limit" };
        var scope = new Option<string>("--scope")
        {
            Description = "installation, tenant:NAME, or class:NAME for an agent or a kind of task", HelpName = "SCOPE",
            DefaultValueFactory = _ => "installation",
        };
        var period = new Option<string>("--period") { Description = "day or month", HelpName = "PERIOD", DefaultValueFactory = _ => "day" };
        var command = new Command("budget", "Sets what may be spent. What waits for the money moves at once.") { amount, scope, period };
        command.SetAction((parsed, _) =>
            Run(parsed.GetRequiredValue(amount), parsed.GetRequiredValue(scope), parsed.GetRequiredValue(period), context.Clock,
                context.Stop));
        return command;
    }

    private static async Task<int> Run(string amount, string scope, string period, TimeProvider clock, CancellationToken stop)
    {
        var limit = Read(amount);
        if (BudgetPeriods.WhatIsWrong(scope, period) is { } wrong)
            throw new RefusalException(wrong);
        await using var queue = await QueueClients.Open(Installation.Read(), ClientUse.Look, clock, stop);
        await queue.SetBudget(scope, period, limit, stop);
        var present = (await queue.Queue(stop)).Budgets.FirstOrDefault(
            b => b.Scope == scope && b.Id == BudgetPeriods.Id(scope, period, clock.GetUtcNow().UtcDateTime));
        var spent = present is null ? "" : string.Create(CultureInfo.InvariantCulture,
            $" ${present.SpentUsd:0.######} of it are spent, ${present.InFlightUsd:0.######} reserved, "
                + $"{present.Waiting} tasks wait for it.");
        Terminal.WriteLine(limit is null
            ? $"The budget of {scope} for a {period} is lifted.{spent}"
            : string.Create(CultureInfo.InvariantCulture, $"The budget of {scope} for a {period} is ${limit:0.######}.{spent}"));
        return ExitCodes.Done;
    }

    private static decimal? Read(string amount) => amount == Unlimited ? null
        : decimal.TryParse(amount.TrimStart('$'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var usd)
            && usd <= Highest
            ? usd
        : throw new RefusalException(
            $"'{amount}' is no amount; expected US dollars such as 12.50, at most {Highest:0}, or '{Unlimited}' to lift the limit.");
}
