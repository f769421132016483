using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Conversations;

/// <summary>A conversation of one tenant: the JSON of <c>GET /v1/conversations/{id}</c>.</summary>
public sealed record ConversationView
{
    public required string Id { get; init; }
    public required string Tenant { get; init; }

    /// <summary>Oldest first; of a long one the newest 200.</summary>
    public required IReadOnlyList<TurnView> Turns { get; init; }

    /// <summary>All its turns, also those that are not shown.</summary>
    public required int TurnCount { get; init; }

    /// <summary>US dollars of all its turns; null when a call was made whose price is unknown.</summary>
    public decimal? CostUsd { get; init; }

    /// <summary>How many turns each model answered.</summary>
    public required IReadOnlyDictionary<string, int> Models { get; init; }
}

/// <summary>One task of a conversation.</summary>
public sealed record TurnView(
    Guid Id, string State, string Asked, string? Answer, string? Model, decimal? CostUsd, DateTime SubmittedAt, DateTime? EndedAt);

/// <summary>Reads conversations.</summary>
public sealed class ConversationViews(IDbContextFactory<QueueDb> contexts)
{
    private const int MostShown = 200;

    /// <summary>Null when the tenant has none of that name, whoever else has.</summary>
    public async Task<ConversationView?> Read(string tenant, string conversation, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var all = db.Tasks.AsNoTracking().Where(t => t.Tenant == tenant && t.Conversation == conversation);
        var sums = await all.GroupBy(_ => 1)
            .Select(g => new { Count = g.Count(), Cost = g.Sum(t => t.CostUsd), Unknown = g.Any(t => t.CostUnknown) })
            .FirstOrDefaultAsync(cancellationToken);
        if (sums is null)
            return null;
        var models = await all.Where(t => t.AnsweredModel != null).GroupBy(t => t.AnsweredModel!)
            .Select(g => new { Model = g.Key, Count = g.Count() }).ToListAsync(cancellationToken);
        var turns = await (from t in all
                           join prompt in db.Payloads on new { Id = t.CorrelationId, Part = PayloadRow.Prompt }
                               equals new { Id = prompt.SubjectId, prompt.Part }
                           join given in db.Payloads on new { Id = t.CorrelationId, Part = PayloadRow.Answer }
                               equals new { Id = given.SubjectId, given.Part } into answers
                           from answer in answers.DefaultIfEmpty()
                           orderby t.SubmittedAt descending, t.CorrelationId descending
                           select new { Task = t, Prompt = prompt.Content, Answer = (string?)answer!.Content }).Take(MostShown)
                               .ToListAsync(cancellationToken);
        turns.Reverse();
        return new ConversationView
        {
            Id = conversation, Tenant = tenant, TurnCount = sums.Count, CostUsd = sums.Unknown ? null : sums.Cost,
            Models = models.OrderByDescending(m => m.Count).ThenBy(m => m.Model, StringComparer.Ordinal)
                .ToDictionary(m => m.Model, m => m.Count, StringComparer.Ordinal),
            Turns = turns.ConvertAll(t => new TurnView(t.Task.CorrelationId, t.Task.State,
                TaskIntake.ReadPrompt(t.Prompt).LastOrDefault(m => m.Role == "user")?.Content ?? "", t.Answer,
                t.Task.AnsweredModel, t.Task.CostUnknown ? null : t.Task.CostUsd, t.Task.SubmittedAt, t.Task.EndedAt)),
        };
    }
}
