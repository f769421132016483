using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmQueue.Store.Catalogue;
using LlmQueue.Store.Commits;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Worker.Admission;

/// <summary>
/// What each model's own counts have taught about the estimate: tokens = a + b × units, fitted by least squares over its answers, the older ones fading.
/// Workers add what they saw to one row a model, so all learn from all, and a restart forgets nothing.
/// </summary>
public sealed class Calibrations(NpgsqlDataSource database, TimeProvider clock, ILogger<Calibrations> logger) : BackgroundService
{
    /// <summary>Sums are halved at this many samples: what a tokenizer did a thousand answers ago counts half.</summary>
    private const double Fading = 2000;

    /// <summary>A count this far from the estimate says nothing of the tokenizer: a cache, an image, another prompt.</summary>
    private const double Outlier = 3;

    private static readonly TimeSpan ShareEvery = TimeSpan.FromSeconds(10);
    private static readonly Meter Meter = new(Store.Telemetry.QueueMetrics.MeterName);
    private static readonly Histogram<double> EstimateError = Meter.CreateHistogram<double>("llmqueue.token_estimate.error", "1", "Estimated prompt tokens over counted ones, less one");

    private readonly ConcurrentDictionary<string, Learned> _models = new(StringComparer.Ordinal);

    public TokenCalibration Of(ModelId model) => _models.TryGetValue(model.ToString(), out var learned) ? learned.Fit : TokenCalibration.None;

    /// <summary>Prompt tokens a model is expected to count for so many units.</summary>
    public int Estimate(ModelId model, double units) => TokenEstimateRule.Estimate(units, Of(model));

    /// <summary>More prompt tokens than a model has ever been seen to count for so many units: what is reserved in money, where a cent too little is a budget overspent.</summary>
    public int MostTokens(ModelId model, double units) => TokenEstimateRule.Most(units, Of(model));

    public void Learn(string model, double units, long counted)
    {
        if (units <= 0 || counted <= 0)
            return;
        var learned = _models.GetOrAdd(model, static _ => new Learned());
        var expected = TokenEstimateRule.Estimate(units, learned.Fit);
        EstimateError.Record(((double)expected / counted) - 1, new KeyValuePair<string, object?>("llm.model", model));
        if (counted > expected * Outlier || expected > counted * Outlier)
            return;
        learned.Add(units, counted);
    }

    public async Task Load(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("select model, n, u, t, uu, ut from calibrations");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            _models.GetOrAdd(reader.GetString(0), static _ => new Learned()).Replace(new Sums(reader.GetDouble(1), reader.GetDouble(2), reader.GetDouble(3), reader.GetDouble(4), reader.GetDouble(5)));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ShareEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await Share(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await Share(CancellationToken.None);
        }
    }

    /// <summary>Adds what this worker has seen since to the shared sums and takes what all have seen.</summary>
    private async Task Share(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var (model, learned) in _models)
            {
                var seen = learned.Seen;
                if (seen.N == 0)
                    continue;
                await using var command = database.CreateCommand($"""
                    insert into calibrations as c values ($1, $2, $3, $4, $5, $6)
                    on conflict (model) do update set
                        n = (c.n + $2) / case when c.n + $2 > {Fading} then 2 else 1 end, u = (c.u + $3) / case when c.n + $2 > {Fading} then 2 else 1 end,
                        t = (c.t + $4) / case when c.n + $2 > {Fading} then 2 else 1 end, uu = (c.uu + $5) / case when c.n + $2 > {Fading} then 2 else 1 end,
                        ut = (c.ut + $6) / case when c.n + $2 > {Fading} then 2 else 1 end
                    returning n, u, t, uu, ut
                    """);
                command.Parameters.AddWithValue(model);
                foreach (var sum in new[] { seen.N, seen.U, seen.T, seen.UU, seen.UT })
                    command.Parameters.AddWithValue(sum);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                if (await reader.ReadAsync(cancellationToken))
                    learned.Shared(new Sums(reader.GetDouble(0), reader.GetDouble(1), reader.GetDouble(2), reader.GetDouble(3), reader.GetDouble(4)), seen);
            }
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException)
        {
            logger.LogDebug("What was learned of token counts is shared later: {Reason}", e.Message);
        }
    }

    private readonly record struct Sums(double N, double U, double T, double UU, double UT)
    {
        public Sums Plus(Sums other) => new(N + other.N, U + other.U, T + other.T, UU + other.UU, UT + other.UT);

        public Sums Minus(Sums other) => new(N - other.N, U - other.U, T - other.T, UU - other.UU, UT - other.UT);

        /// <summary>Least squares; with prompts all of one size the offset cannot be told from the slope, and the slope takes it all.</summary>
        public TokenCalibration Fit()
        {
            if (N < 1)
                return TokenCalibration.None;
            var spread = (N * UU) - (U * U);
            var tellsApart = spread > 0.0025 * U * U;
            var slope = tellsApart ? ((N * UT) - (U * T)) / spread : T / U;
            var offset = (T - (slope * U)) / N;
            if (offset < 0 || !tellsApart)
                (slope, offset) = (T / U, 0);
            return new TokenCalibration(Math.Min(offset, 2000), Math.Clamp(slope, 0.3, 3), (int)N);
        }
    }

    private sealed class Learned
    {
        private readonly Lock _lock = new();
        private Sums _shared;
        private Sums _seen;

        public TokenCalibration Fit { get; private set; } = TokenCalibration.None;

        public Sums Seen
        {
            get
            {
                lock (_lock)
                    return _seen;
            }
        }

        public void Add(double units, double counted)
        {
            lock (_lock)
            {
                _seen = _seen.Plus(new Sums(1, units, counted, units * units, units * counted));
                Fit = _shared.Plus(_seen).Fit();
            }
        }

        public void Replace(Sums shared)
        {
            lock (_lock)
            {
                _shared = shared;
                Fit = _shared.Plus(_seen).Fit();
            }
        }

        public void Shared(Sums shared, Sums given)
        {
            lock (_lock)
            {
                _shared = shared;
                _seen = _seen.Minus(given);
                Fit = _shared.Plus(_seen).Fit();
            }
        }
    }
}
