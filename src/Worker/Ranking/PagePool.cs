using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Ranking;

/// <summary>The weights of a pool's models at this moment, from what their pages have taught; see PoolRule.</summary>
public sealed class PagePool(ModelRanking ranking, WorkerOptions options)
{
    private static readonly PoolWeight Usual = new(1, null);

    /// <param name="models">The models with room or without, each with its tokens a minute.</param>
    /// <param name="complexity">The page's.</param>
    /// <returns>A weight by model; always 1 with the switch off.</returns>
    public Func<ModelId, PoolWeight> Weights(IEnumerable<(ModelEntry Model, double? TokensPerMinute)> models, string? complexity)
    {
        if (!options.PoolAdjustment)
            return static _ => Usual;
        var pool = models.DistinctBy(m => m.Model.Id).ToList();
        var runs = ranking.OfPages([.. pool.Select(m => m.Model.Id.ToString())]);
        var weights = PoolRule.Weights(
            [.. pool.Zip(runs,
                (m, known) => new PoolModel(m.Model.Id.ToString(), m.Model.Price.CostUsd(500_000, 500_000), m.TokensPerMinute, known))],
            complexity);
        return id => weights.GetValueOrDefault(id.ToString(), Usual);
    }

    /// <summary>Why this model, for the attempt's record.</summary>
    public string? Why(TaskRow task, IReadOnlyList<(ModelEntry Model, double? TokensPerMinute)> chain) =>
        task.Route.LoadBalanced && task.Model is { } model ? Weights(chain, task.Complexity)(ModelId.Parse(model)).Why : null;
}
