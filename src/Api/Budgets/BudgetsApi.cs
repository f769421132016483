using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.Limits;
using LlmQueue.Storage.Budgets;

namespace LlmQueue.Api.Budgets;

/// <summary>
/// The budget endpoint: PUT /v1/budgets/{scope}/{period} with {"limitUsd": 12.5}, null to lift it. Tasks that wait for the money move at
/// once. Tenants that spend do not set what may be spent: with tokens configured no tenant may call this.
/// </summary>
public static class BudgetsApi
{
    public static void MapBudgets(this IEndpointRouteBuilder routes) =>
        routes.MapPut("/v1/budgets/{scope}/{period}", async (
            HttpContext context, string scope, string period, BudgetChange change, BudgetRepository budgets,
            CancellationToken cancellationToken) =>
        {
            if (!context.Caller().SeesAll)
                throw new ProblemException(new Problem(StatusCodes.Status403Forbidden, "forbidden", "A tenant may not set budgets",
                    "Whoever spends does not set what may be spent: "
                        + "set BUDGET_DAILY_USD, or call an API without LLMQUEUE_TOKENS on the queue's own machine."));
            if (BudgetPeriods.WhatIsWrong(scope, period) is { } wrong)
                throw new ProblemException(Problem.Refused(wrong));
            if (change.LimitUsd < 0)
                throw new ProblemException(
                    Problem.Refused($"limitUsd is {change.LimitUsd}; expected US dollars from 0, or null for no limit."));
            await budgets.Set(scope, period, change.LimitUsd, cancellationToken);
            return TypedResults.Ok(new BudgetSet(scope, period, change.LimitUsd));
        });

    private sealed record BudgetChange(decimal? LimitUsd);

    private sealed record BudgetSet(string Scope, string Period, decimal? LimitUsd);
}
