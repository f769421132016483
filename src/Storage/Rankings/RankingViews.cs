using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Rankings;

/// <summary>The ranking of the models for one kind of task.</summary>
/// <param name="Subject">"all" for tasks without an agent, "agent:TENANT/AGENT", or "pool" for pages of summaries.</param>
/// <param name="Kind">The kind of task.</param>
/// <param name="Runs">Of all models together. Before 10 nothing is learned.</param>
/// <param name="Value">The mean score of the choices made; null before anything is learned.</param>
/// <param name="BestModel">The best single model.</param>
/// <param name="BestValue">What always choosing it would have been worth.</param>
/// <param name="Models">Best first.</param>
public sealed record RankingView(
    string Subject, string Kind, long Runs, double? Value, string? BestModel, double? BestValue, IReadOnlyList<RankedModel> Models);

/// <summary>A model's place in the ranking.</summary>
/// <param name="Model">As <c>provider:model</c>.</param>
/// <param name="Score">0 to 1: success 0.4, speed 0.3, quality 0.3; null before its fifth run.</param>
/// <param name="Runs">All it ever made.</param>
/// <param name="ShareOfRecent">Its share of the runs that have not faded.</param>
/// <param name="SuccessRate">Of recent runs.</param>
/// <param name="MeanSeconds">Of recent answered runs.</param>
/// <param name="Quality">Mean of recent feedback and critiques; null without any.</param>
public sealed record RankedModel(
    string Model, double? Score, long Runs, double ShareOfRecent, double SuccessRate, double MeanSeconds, double? Quality);

/// <summary>Reads the ranking for the API.</summary>
public sealed class RankingViews(IDbContextFactory<QueueDb> contexts)
{
    private const int MostRows = 5000;

    /// <param name="tenant">Only its own agents, and what is everybody's; null for all.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    public async Task<IReadOnlyList<RankingView>> Read(string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = db.Rankings.AsNoTracking();
        if (tenant is not null)
        {
            var own = RankingRow.AgentsOf(tenant);
            rows = rows.Where(r => r.Subject == RankingRow.Everybody || r.Subject == RankingRow.Pool || r.Subject.StartsWith(own));
        }

        var read = await rows.OrderBy(r => r.Subject).ThenBy(r => r.Kind).Take(MostRows).ToListAsync(cancellationToken);
        return [.. read.GroupBy(r => (r.Subject, r.Kind)).Select(g => View(g.Key.Subject, g.Key.Kind, [.. g]))];
    }

    private static RankingView View(string subject, string kind, List<RankingRow> rows)
    {
        var runs = rows.Find(r => r.Model.Length == 0)?.Runs ?? 0;
        var models = rows.Where(r => r.Model.Length > 0).Select(r => RankingRule.At(r, runs)).ToList();
        var (compared, weight) = (RankingRule.Compare(models), models.Sum(m => m.Weight));
        return new RankingView(subject, kind, runs, compared?.Value, compared?.BestModel, compared?.BestValue,
        [
            .. models.Select(m => new RankedModel(m.Model, RankingRule.Score(m, models), m.Runs, weight > 0 ? m.Weight / weight : 0,
                m.SuccessRate, m.MeanSeconds, m.QualityWeight > 0.01 ? m.Quality / m.QualityWeight : null))
                .OrderByDescending(m => m.Score ?? -1).ThenBy(m => m.Model, StringComparer.Ordinal),
        ]);
    }
}
