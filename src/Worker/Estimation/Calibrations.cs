using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmQueue.Catalogue;
using LlmQueue.Hosting.Telemetry;
using Npgsql;

namespace LlmQueue.Worker.Estimation;

/// <summary>
/// The calibration of the prompt estimate, by each model's own counts: tokens = a + b × units, fitted by least squares over its answers,
/// the older ones fading.
/// </summary>
public sealed class Calibrations
{
    /// <summary>A count this far from the estimate says nothing of the tokenizer: a cache, an image, another prompt.</summary>
    private const double Outlier = 3;

    private static readonly Meter Meter = new(QueueMetrics.MeterName);
    private static readonly Histogram<double> EstimateError = Meter.CreateHistogram<double>("llmqueue.token_estimate.error", "1",
        "Estimated prompt tokens over counted ones, less one");
    private static readonly ConcurrentDictionary<string, RecentErrors> Recent = new(StringComparer.Ordinal);

    static Calibrations()
    {
        // A histogram's buckets are too coarse to tell 5 % from 10 %, so the two figures that matter are given as they are.
        Meter.CreateObservableGauge("llmqueue.token_estimate.error.p50", () => Measure(0.50), "1",
            "Half of a model's last 512 estimates were wrong by less, as a share of the counted tokens");
        Meter.CreateObservableGauge("llmqueue.token_estimate.error.p95", () => Measure(0.95), "1",
            "19 of 20 of a model's last 512 estimates were wrong by less, as a share of the counted tokens");
    }

    public Calibrations(NpgsqlDataSource database) =>
        Sums = new SharedSums(database, "calibrations", ["n", "u", "t", "uu", "ut"], fading: 2000);

    /// <summary>Samples, units, tokens, units squared, units times tokens.</summary>
    internal SharedSums Sums { get; }

    public TokenCalibration Of(ModelId model) => Of(model.ToString());

    /// <summary>Prompt tokens a model is expected to count for so many units.</summary>
    public int Estimate(ModelId model, double units) => TokenEstimateRule.Estimate(units, Of(model));

    /// <summary>
    /// More prompt tokens than a model has ever been seen to count for so many units: what is reserved in money, where a cent too little
    /// is a budget overspent.
    /// </summary>
    public int MostTokens(ModelId model, double units) => TokenEstimateRule.Most(units, Of(model));

    public void Learn(string model, double units, long counted)
    {
        if (units <= 0 || counted <= 0)
            return;
        var expected = TokenEstimateRule.Estimate(units, Of(model));
        var error = ((double)expected / counted) - 1;
        EstimateError.Record(error, new KeyValuePair<string, object?>("llm.model", model));
        Recent.GetOrAdd(model, static _ => new RecentErrors()).Add(Math.Abs(error));
        if (counted <= expected * Outlier && expected <= counted * Outlier)
            Sums.Add(model, 1, units, counted, units * units, units * counted);
    }

    private TokenCalibration Of(string model) => Sums.Of(model) is { } s ? Fit(s[0], s[1], s[2], s[3], s[4]) : TokenCalibration.None;

    /// <summary>Least squares; with prompts all of one size the offset cannot be told from the slope, and the slope takes it all.</summary>
    private static TokenCalibration Fit(double n, double u, double t, double uu, double ut)
    {
        if (n < 1)
            return TokenCalibration.None;
        var spread = (n * uu) - (u * u);
        var tellsApart = spread > 0.0025 * u * u;
        var slope = tellsApart ? ((n * ut) - (u * t)) / spread : t / u;
        var offset = (t - (slope * u)) / n;
        if (offset < 0 || !tellsApart)
            (slope, offset) = (t / u, 0);
        return new TokenCalibration(Math.Min(offset, 2000), Math.Clamp(slope, 0.3, 3), (int)n);
    }

    private static IEnumerable<Measurement<double>> Measure(double share) =>
        Recent.Select(r => new Measurement<double>(r.Value.Percentile(share), new KeyValuePair<string, object?>("llm.model", r.Key)));

    /// <summary>A ring buffer of the latest errors.</summary>
    private sealed class RecentErrors
    {
        private readonly double[] _errors = new double[512];
        private int _count;

        public void Add(double error)
        {
            lock (_errors)
                _errors[_count++ % _errors.Length] = error;
        }

        public double Percentile(double share)
        {
            lock (_errors)
            {
                var sorted = _errors.Take(Math.Min(_count, _errors.Length)).Order().ToList();
                return sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, (int)(share * sorted.Count))];
            }
        }
    }
}
