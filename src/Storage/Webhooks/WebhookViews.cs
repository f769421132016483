using System.Diagnostics.CodeAnalysis;
using LlmQueue.OpenAi;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Webhooks;

/// <summary>The filter of a list of deliveries.</summary>
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

/// <summary>Reads deliveries for their owners.</summary>
public sealed class WebhookViews(IDbContextFactory<QueueDb> contexts)
{
    public const string Due = "due", Delivered = "delivered", GivenUp = "given up";

    public static readonly IReadOnlyList<string> States = [Due, Delivered, GivenUp];

    public static string StateOf(WebhookRow row) => row.Delivered ? Delivered : row.DoneAt is null ? Due : GivenUp;

    /// <summary>Null as well when it is another tenant's; every tenant's when <paramref name="tenant"/> is null.</summary>
    public async Task<DeliveryView?> Read(Guid id, string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await db.Webhooks.AsNoTracking()
            .FirstOrDefaultAsync(w => w.Id == id && (tenant == null || w.Tenant == tenant), cancellationToken) is not { } row)
            return null;
        var tries = await db.WebhookTries.AsNoTracking().Where(t => t.WebhookId == id).OrderBy(t => t.Number)
            .Select(t => new TryView(t.Number, t.At, t.Milliseconds, t.Result)).ToListAsync(cancellationToken);
        return new DeliveryView(Item(row)) { Tries = tries };
    }

    public async Task<DeliveryPage> List(DeliveryFilter filter, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var found = db.Webhooks.AsNoTracking()
            .Where(w => (filter.Tenant == null || w.Tenant == filter.Tenant) && (filter.TaskId == null || w.TaskId == filter.TaskId)
            && (filter.BatchId == null || w.BatchId == filter.BatchId) && (filter.After == null || w.Id < filter.After));
        found = filter.State switch
        {
            Due => found.Where(w => w.DoneAt == null),
            Delivered => found.Where(w => w.Delivered),
            GivenUp => found.Where(w => w.DoneAt != null && !w.Delivered),
            _ => found,
        };
        var rows = await found.OrderByDescending(w => w.Id).Take(filter.Limit + 1).ToListAsync(cancellationToken);
        var items = rows.Take(filter.Limit).Select(Item).ToList();
        return new DeliveryPage(items, rows.Count > filter.Limit ? items[^1].Id : null);
    }

    private static DeliveryItem Item(WebhookRow row) => new()
    {
        Id = row.Id, MessageId = row.MessageId, Type = row.Type, TaskId = row.TaskId,
        BatchId = row.BatchId is { } batch ? OpenAiFormat.Id(OpenAiFormat.BatchPrefix, batch) : null, Tenant = row.Tenant, Url = row.Url,
        State = StateOf(row), Attempts = row.Attempts, LastResult = row.LastResult, CreatedAt = row.CreatedAt,
        NextAt = row.DoneAt is null ? row.DueAt : null, DoneAt = row.DoneAt,
    };
}
