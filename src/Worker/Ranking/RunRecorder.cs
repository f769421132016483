using LlmQueue.Storage.Rankings;

namespace LlmQueue.Worker.Ranking;

/// <summary>
/// Records the runs of one subject and kind: what all workers had shared at the last look, and what this worker has seen since.
/// </summary>
public sealed class RunRecorder
{
    private readonly Lock _lock = new();
    private Dictionary<string, ModelRuns> _shared = [];
    private Dictionary<string, ModelRuns> _seen = [];
    private long _seenRuns;
    private long _toldRuns;
    private Dictionary<string, ModelRuns> _telling = [];

    public void Add(string model, double success, double speed, double seconds)
    {
        lock (_lock)
        {
            foreach (var name in _seen.Keys.ToList())
                _seen[name] = _seen[name].Faded(RankingRule.Fading);
            _seen[model] = _seen.GetValueOrDefault(model, ModelRuns.None(model))
                .Plus(new ModelRuns(model, 1, 1, success, speed, seconds, 0, 0));
            _seenRuns++;
        }
    }

    public void Rate(string model, double score)
    {
        lock (_lock)
            _seen[model] = _seen.GetValueOrDefault(model, ModelRuns.None(model))
                .Plus(ModelRuns.None(model) with { Quality = score, QualityWeight = 1 });
    }

    public IReadOnlyList<ModelRuns> Known(IReadOnlyList<string> models)
    {
        lock (_lock)
            return [.. models.Select(Present)];
    }

    public IReadOnlyList<ModelRuns> All()
    {
        lock (_lock)
            return [.. _shared.Keys.Union(_telling.Keys).Union(_seen.Keys).Order(StringComparer.Ordinal).Select(Present)];
    }

    /// <summary>
    /// What has been seen since the last telling; null when that is nothing. Until it is told or put back it counts as it did.
    /// </summary>
    public RunsSeen? Take((string Subject, string Kind) key)
    {
        lock (_lock)
        {
            if (_seen.Count == 0 || _telling.Count > 0)
                return null;
            (_telling, _toldRuns, _seen, _seenRuns) = (_seen, _seenRuns, [], 0);
            return new RunsSeen(key.Subject, key.Kind, _toldRuns, [.. _telling.Values]);
        }
    }

    /// <summary>It was told: it is part of what all know.</summary>
    public void Told()
    {
        lock (_lock)
        {
            foreach (var model in _shared.Keys.Union(_telling.Keys).ToList())
                _shared[model] = _shared.GetValueOrDefault(model, ModelRuns.None(model))
                    .Faded(RankingRule.FadedAfter(_toldRuns))
                    .Plus(_telling.GetValueOrDefault(model, ModelRuns.None(model)));
            (_telling, _toldRuns) = ([], 0);
        }
    }

    /// <summary>It could not be told: it is seen as if it had never been taken.</summary>
    public void PutBack()
    {
        lock (_lock)
        {
            foreach (var (model, runs) in _telling)
                _seen[model] = runs.Faded(RankingRule.FadedAfter(_seenRuns)).Plus(_seen.GetValueOrDefault(model, ModelRuns.None(model)));
            _seenRuns += _toldRuns;
            (_telling, _toldRuns) = ([], 0);
        }
    }

    /// <summary>What all have told, this worker among them.</summary>
    public void Replace(IReadOnlyList<ModelRuns> all)
    {
        lock (_lock)
            _shared = all.ToDictionary(m => m.Model, StringComparer.Ordinal);
    }

    private ModelRuns Present(string model)
    {
        var none = ModelRuns.None(model);
        return _shared.GetValueOrDefault(model, none).Faded(RankingRule.FadedAfter(_toldRuns + _seenRuns))
            .Plus(_telling.GetValueOrDefault(model, none).Faded(RankingRule.FadedAfter(_seenRuns)))
            .Plus(_seen.GetValueOrDefault(model, none));
    }
}
