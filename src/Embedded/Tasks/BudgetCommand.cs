using System.Globalization;
using LlmQueue.Embedded.Doors;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Limits;

namespace LlmQueue.Embedded.Tasks;

/// <summary>Sets what may be spent, while the queue runs or before; what waits for the money moves at once.</summary>
internal static class BudgetCommand
{
    private const string Unlimited = "none";

    public static async Task<int> Run(string amount, string scope, string period, TimeProvider clock, CancellationToken stop)
    {
        var limit = Read(amount);
        if (BudgetPeriods.WhatIsWrong(scope, period) is { } wrong)
            throw new RefusalException(wrong);
        await using var door = await QueueDoors.Open(Installation.Read(), DoorUse.Look, clock, Console.Error.WriteLine, stop);
        await door.SetBudget(scope, period, limit, stop);
        var present = (await door.Queue(stop)).Budgets.FirstOrDefault(b => b.Scope == scope && b.Id == BudgetPeriods.Id(scope, period, clock.GetUtcNow().UtcDateTime));
        var spent = present is null ? "" : string.Create(CultureInfo.InvariantCulture, $" ${present.SpentUsd:0.######} of it are spent, ${present.InFlightUsd:0.######} reserved, {present.Waiting} tasks wait for it.");
        await Console.Out.WriteLineAsync(limit is null ? $"The budget of {scope} for a {period} is lifted.{spent}" : string.Create(CultureInfo.InvariantCulture, $"The budget of {scope} for a {period} is ${limit:0.######}.{spent}"));
        return ExitCodes.Done;
    }

    private static decimal? Read(string amount) => amount == Unlimited ? null
        : decimal.TryParse(amount.TrimStart('$'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var usd) ? usd
        : throw new RefusalException($"'{amount}' is no amount; expected US dollars such as 12.50, or '{Unlimited}' to lift the limit.");
}
