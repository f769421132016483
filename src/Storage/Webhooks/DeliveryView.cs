using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Webhooks;

/// <summary>Which deliveries are listed.</summary>
/// <param name="Tenant">Null: every tenant's.</param>
/// <param name="State">One of <see cref="WebhookViews.States"/>; null: all.</param>
/// <param name="TaskId">Null: every task's.</param>
/// <param name="BatchId">Null: every batch's.</param>
/// <param name="After">The last id of the page before; null for the first page.</param>
/// <param name="Limit">At most so many.</param>
public sealed record DeliveryFilter(string? Tenant, string? State, Guid? TaskId, Guid? BatchId, Guid? After, int Limit);

/// <summary>A call to a tenant's address, as its owner sees it.</summary>
public record DeliveryItem
{
    public required Guid Id { get; init; }
    /// <summary>What receivers know it by: the header <c>webhook-id</c>.</summary>
    public required string MessageId { get; init; }
    /// <summary><c>task.completed</c>, <c>batch.expired</c>, …</summary>
    public required string Type { get; init; }
    public Guid? TaskId { get; init; }
    public string? BatchId { get; init; }
    public required string Tenant { get; init; }
    public required string Url { get; init; }
    /// <summary><c>due</c>, <c>delivered</c> or <c>given up</c>.</summary>
    public required string State { get; init; }
    public int Attempts { get; init; }
    public string? LastResult { get; init; }
    public DateTime CreatedAt { get; init; }
    /// <summary>When it is tried next; null once it is done.</summary>
    public DateTime? NextAt { get; init; }
    public DateTime? DoneAt { get; init; }
}

/// <summary>One with all its tries, oldest first; a try whose worker died with it is missing among the numbers.</summary>
public sealed record DeliveryView : DeliveryItem
{
    [SetsRequiredMembers]
    public DeliveryView(DeliveryItem item) : base(item)
    {
    }

    public IReadOnlyList<TryView> Tries { get; init; } = [];
}

/// <summary>One try.</summary>
public sealed record TryView(int Number, DateTime At, int Ms, string Result);

/// <summary>One page, newest first; <paramref name="Next"/> is what to give as <c>after</c>, null on the last page.</summary>
public sealed record DeliveryPage(IReadOnlyList<DeliveryItem> Items, Guid? Next);
