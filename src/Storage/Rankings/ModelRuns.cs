namespace LlmQueue.Storage.Rankings;

/// <summary>What is held against a model, and what for: sums over its runs, the older ones faded.</summary>
/// <param name="Model">As provider:model.</param>
/// <param name="Runs">All it ever made of this kind.</param>
/// <param name="Weight">Of them what has not faded.</param>
/// <param name="Successes">Of the weight, the runs that were answered.</param>
/// <param name="Speed">Sum over the answered ones of 1 for at once, one half for two seconds, towards 0 for never.</param>
/// <param name="Seconds">Sum over the answered ones.</param>
/// <param name="Quality">Sum of the scores that people and critics gave.</param>
/// <param name="QualityWeight">How many of them have not faded.</param>
public sealed record ModelRuns(
    string Model, long Runs, double Weight, double Successes, double Speed, double Seconds, double Quality, double QualityWeight)
{
    public static ModelRuns None(string model) => new(model, 0, 0, 0, 0, 0, 0, 0);

    public double SuccessRate => Weight > 0 ? Successes / Weight : 0;

    /// <summary>Of an answered run, in seconds.</summary>
    public double MeanSeconds => Successes > 0 ? Seconds / Successes : 0;

    public ModelRuns Plus(ModelRuns other) => this with
    {
        Runs = Runs + other.Runs, Weight = Weight + other.Weight, Successes = Successes + other.Successes, Speed = Speed + other.Speed,
        Seconds = Seconds + other.Seconds,
        Quality = Quality + other.Quality, QualityWeight = QualityWeight + other.QualityWeight,
    };

    public ModelRuns Faded(double share) => this with
    {
        Weight = Weight * share, Successes = Successes * share, Speed = Speed * share, Seconds = Seconds * share, Quality = Quality * share,
        QualityWeight = QualityWeight * share,
    };
}
