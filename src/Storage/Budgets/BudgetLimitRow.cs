namespace LlmQueue.Storage.Budgets;

/// <summary>A budget that is limited; its periods are BudgetRows.</summary>
public sealed class BudgetLimitRow
{
    /// <summary>installation, tenant:NAME or class:NAME.</summary>
    public string Scope { get; set; } = "";
    /// <summary>day or month.</summary>
    public string Period { get; set; } = "";
    /// <summary>US dollars a period; null is unlimited.</summary>
    public decimal? LimitUsd { get; set; }
    /// <summary>What the environment said when it last had its say; another value there replaces what was set since.</summary>
    public decimal? EnvironmentUsd { get; set; }
}
