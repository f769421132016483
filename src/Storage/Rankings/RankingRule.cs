namespace LlmQueue.Storage.Rankings;

/// <summary>How a model's runs become a score from 0 to 1: success 0.4, speed 0.3, quality 0.3. Pure.</summary>
public static class RankingRule
{
    /// <summary>Nothing is learned before so many runs of the subject and kind.</summary>
    public const int LeastRuns = 10;

    /// <summary>No model is judged before so many runs of its own.</summary>
    public const int LeastRunsOfModel = 5;

    /// <summary>
    /// What is left of every sum after one more run of the subject and kind: fifty runs are remembered. Whoever is seldom asked is
    /// forgotten as fast as whoever is asked all the time, so doubt about it grows and it is asked again.
    /// </summary>
    public const double Fading = 0.98;

    public const double SuccessShare = 0.4, SpeedShare = 0.3, QualityShare = 0.3;

    private const double SecondsOfHalfSpeed = 2;

    /// <summary>
    /// What an unrated model is taken for, in so many ratings: the mean of the others, or the middle where nobody is rated.
    /// </summary>
    private const double QualityDoubt = 2;

    public static double SpeedOf(double seconds) => 1 / (1 + (seconds / SecondsOfHalfSpeed));

    public static double FadedAfter(long runs) => Math.Pow(Fading, runs);

    public static ModelRuns At(RankingRow row, long run) =>
        new ModelRuns(row.Model, row.Runs, row.Weight, row.Successes, row.Speed, row.Seconds, row.Quality, row.QualityWeight)
            .Faded(FadedAfter(run - row.AsOfRun));

    /// <summary>Null for a model that is not judged yet.</summary>
    public static double? Score(ModelRuns model, IReadOnlyCollection<ModelRuns> all) =>
        model.Runs < LeastRunsOfModel ? null : Raw(model, all);

    /// <summary>
    /// What the choices made were worth on average, against what always using the best single model would have been. Null before
    /// anything is learned.
    /// </summary>
    public static Comparison? Compare(IReadOnlyCollection<ModelRuns> all)
    {
        var judged = all.Where(m => m.Runs >= LeastRunsOfModel).ToList();
        var weight = judged.Sum(m => m.Weight);
        if (all.Sum(m => m.Runs) < LeastRuns || weight <= 0)
            return null;
        var best = judged.MaxBy(m => Raw(m, all))!;
        return new Comparison(judged.Sum(m => m.Weight * Raw(m, all)) / weight, best.Model, Raw(best, all));
    }

    private static double Raw(ModelRuns model, IReadOnlyCollection<ModelRuns> all)
    {
        var rated = all.Sum(m => m.QualityWeight);
        var usual = rated > 0 ? all.Sum(m => m.Quality) / rated : 0.5;
        var quality = (model.Quality + (usual * QualityDoubt)) / (model.QualityWeight + QualityDoubt);
        // A run that was not answered was not fast either.
        var speed = model.Weight > 0 ? model.Speed / model.Weight : 0;
        return (SuccessShare * model.SuccessRate) + (SpeedShare * speed) + (QualityShare * quality);
    }
}

/// <summary>The comparison of the choices made with the best single model.</summary>
/// <param name="Value">The mean score of the choices made.</param>
/// <param name="BestModel">The best single model.</param>
/// <param name="BestValue">Its score: what always choosing it would have been worth. The difference is the price of finding out.</param>
public sealed record Comparison(double Value, string BestModel, double BestValue);
