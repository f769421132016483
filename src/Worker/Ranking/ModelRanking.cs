using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmQueue.Hosting.Telemetry;
using LlmQueue.Storage.Loops;
using LlmQueue.Storage.Rankings;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Outcomes;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Worker.Ranking;

/// <summary>
/// Learns from every run which model does which work well, and orders routes by it. What this worker has seen is told to the shared rows
/// every few seconds and what all have seen is taken back: nothing is read or written for a task. A worker that is killed forgets the last
/// few seconds' runs, and no more.
/// </summary>
public sealed class ModelRanking : BackgroundService
{
    private static readonly TimeSpan ShareEvery = TimeSpan.FromSeconds(5);

    /// <summary>Subjects that are learned apart; above it new agents are counted with everybody.</summary>
    private const int MostSubjects = 10_000;

    private static readonly Meter Meter = new(QueueMetrics.MeterName);
    private static readonly Histogram<double> Lead = Meter.CreateHistogram<double>("llmqueue.ranking.value", "1",
        "Mean score of the choices made, by kind; compare with the best single model's");
    private static readonly Histogram<double> Best = Meter.CreateHistogram<double>("llmqueue.ranking.best_single", "1",
        "Score that always choosing the best single model would have had, by kind");
    private static readonly Counter<long> Choices = Meter.CreateCounter<long>("llmqueue.ranking.choices", "{choice}",
        "Routes that the ranking was asked about, by what it did: learned, sampled, left");

    private readonly ConcurrentDictionary<(string Subject, string Kind), RunRecorder> _books = new();
    private readonly RankingRepository _shared;
    private readonly WorkerOptions _options;
    private readonly Jitter _jitter;
    private readonly TimeProvider _clock;
    private readonly ILogger<ModelRanking> _logger;

    public ModelRanking(RankingRepository shared, WorkerOptions options, Jitter jitter, TimeProvider clock, ILogger<ModelRanking> logger) =>
        (_shared, _options, _jitter, _clock, _logger) = (shared, options, jitter, clock, logger);

    /// <summary>The chain in the order in which it is to be tried.</summary>
    public OrderedChain Order(TaskRow task, IReadOnlyList<string> chain, IReadOnlyList<decimal?>? prices = null)
    {
        if (!_options.Ranking || chain.Count < 2 || Book(task, open: false) is not { } book)
            return new OrderedChain(chain, null);
        var ordered = ChainRule.Decide(chain, book.Known(chain), samples: !task.HighStakes, _jitter.Next, prices);
        Choices.Add(1, new KeyValuePair<string, object?>("choice",
            ordered.Why is null ? "left" : ordered.Why.StartsWith("sampled", StringComparison.Ordinal) ? "sampled" : "learned"));
        return ordered;
    }

    /// <summary>What is known of these models' page summaries; none where nothing is.</summary>
    public IReadOnlyList<ModelRuns> OfPages(IReadOnlyList<string> models) =>
        _books.TryGetValue((RankingRow.Pool, SummaryRoles.Page), out var book) ? book.Known(models) : [.. models.Select(ModelRuns.None)];

    /// <summary>Counts a run that says something of its model.</summary>
    public void Learn(TaskRow task, string model, CallOutcome outcome, TimeSpan took)
    {
        if (IsSuccess(outcome) is { } succeeded && Book(task, open: true) is { } book)
            book.Add(model, succeeded ? 1 : 0, succeeded ? RankingRule.SpeedOf(took.TotalSeconds) : 0, succeeded ? took.TotalSeconds : 0);
    }

    /// <summary>Counts what a critic gave an answer, from 0 to 1. Feedback of people comes through RankingRepository.Rate.</summary>
    public void Rate(TaskRow task, string model, double score) => Book(task, open: true)?.Rate(model, Math.Clamp(score, 0, 1));

    /// <summary>Reads what was learned before; call it before the host runs.</summary>
    public async Task Load(CancellationToken cancellationToken)
    {
        foreach (var (key, models) in await _shared.Read(null, cancellationToken))
            if (_books.Count < MostSubjects)
                _books.GetOrAdd(key, _ => new RunRecorder()).Replace(models);
    }

    /// <summary>Tells what was seen and takes what all have seen.</summary>
    public async Task Share(CancellationToken cancellationToken)
    {
        var told = _books.Select(b => (b.Key, Book: b.Value, Seen: b.Value.Take(b.Key))).Where(t => t.Seen is not null).ToList();
        if (told.Count == 0)
            return;
        try
        {
            await _shared.Add([.. told.Select(t => t.Seen!)], cancellationToken);
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException or OperationCanceledException)
        {
            told.ForEach(t => t.Book.PutBack());
            _logger.LogDebug("What was learned of models is told later: {Reason}", e.Message);
            return;
        }

        told.ForEach(t => t.Book.Told());
        var all = await _shared.Read([.. told.Select(t => t.Key)], cancellationToken);
        foreach (var (key, book, _) in told)
        {
            book.Replace(all.GetValueOrDefault(key, []));
            if (RankingRule.Compare(book.All()) is { } compared)
            {
                Lead.Record(compared.Value, new KeyValuePair<string, object?>("kind", key.Kind));
                Best.Record(compared.BestValue, new KeyValuePair<string, object?>("kind", key.Kind));
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(ShareEvery, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await ShareSafely(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await ShareSafely(CancellationToken.None);
        }
    }

    private async Task ShareSafely(CancellationToken cancellationToken)
    {
        try
        {
            await Share(cancellationToken);
        }
        catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException)
        {
            // It was told; only what the others have seen is not known yet.
            _logger.LogDebug("What others learned of models is read later: {Reason}", e.Message);
        }
    }

    private RunRecorder? Book(TaskRow task, bool open)
    {
        var key = RankingRepository.KeyOf(task);
        if (_books.TryGetValue(key, out var book))
            return book;
        if (_books.Count >= MostSubjects)
            return _books.GetValueOrDefault((RankingRow.Everybody, key.Kind));
        return open ? _books.GetOrAdd(key, _ => new RunRecorder()) : null;
    }

    /// <summary>
    /// Null for what says nothing of the model: a limit, a key, money, a request of the wrong size, a worker of ours that died.
    /// </summary>
    private static bool? IsSuccess(CallOutcome outcome) => outcome switch
    {
        CallOutcome.Answered => true,
        CallOutcome.Malformed or CallOutcome.TimedOut or CallOutcome.Unreachable or CallOutcome.ContentRefused or CallOutcome.ModelGone =>
            false,
        _ => null,
    };
}
