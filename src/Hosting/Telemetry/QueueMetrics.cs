using System.Diagnostics.Metrics;
using LlmQueue.Contracts;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Hosting.Telemetry;

/// <summary>The metrics of what was committed, counted at the commit so that they agree with the rows. Meter "LlmQueue".</summary>
public sealed class QueueMetrics : ICommitObserver, IDisposable
{
    public const string MeterName = "LlmQueue";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _entries;
    private readonly Counter<long> _calls;
    private readonly Counter<long> _tokens;
    private readonly Counter<double> _cost;
    private readonly Histogram<double> _latency;
    private readonly Histogram<int> _group;
    private readonly Counter<long> _again;
    private readonly Counter<long> _alerts;
    private readonly Counter<long> _reloads;
    private readonly Counter<long> _breakers;
    private readonly Counter<long> _stages;
    private readonly Counter<long> _routed;
    private readonly Counter<long> _packed;

    public QueueMetrics()
    {
        _entries = _meter.CreateCounter<long>("llmqueue.history.entries", "{entry}",
            "History entries, by entry: Submitted, Deferred, Downgraded, Completed, …");
        _calls = _meter.CreateCounter<long>("llmqueue.calls", "{call}", "Calls to providers, by bucket's model and outcome");
        _tokens = _meter.CreateCounter<long>("llmqueue.tokens", "{token}", "Tokens as providers counted them, by model and direction");
        _cost = _meter.CreateCounter<double>("llmqueue.cost", "{USD}", "Money spent, by model; calls of unknown price are not in it");
        _latency = _meter.CreateHistogram<double>("llmqueue.call.duration", "s", "From claim to outcome, by model");
        _group = _meter.CreateHistogram<int>("llmqueue.commit.group", "{transition}", "Transitions that shared a commit");
        _alerts = _meter.CreateCounter<long>("llmqueue.alerts", "{alert}",
            "Thresholds of quotas and budgets that were crossed, by kind, subject and percent");
        _stages = _meter.CreateCounter<long>("llmqueue.classifications", "{task}",
            "Who said what a task is, by stage: producer, rules, cache, model, default");
        _routed = _meter.CreateCounter<long>("llmqueue.routed", "{task}",
            "Where tasks go first, by stage, model, and the model it would have been without classification");
        _packed = _meter.CreateCounter<long>("llmqueue.classifier.packed", "{question}",
            "Questions to the small model that were answered along with another's call");
        _reloads = _meter.CreateCounter<long>("llmqueue.catalogue.reloads", "{reload}", "Changed catalogues, by result: taken, refused");
        _breakers = _meter.CreateCounter<long>("llmqueue.breaker.changes", "{change}",
            "Circuit breakers that changed, by bucket and the state they came to: open, recovering, closed");
        _again = _meter.CreateCounter<long>("llmqueue.decisions.again", "{decision}",
            "Transitions decided again, by why: Conflict, NoRoom");
    }

    public void Dispose() => _meter.Dispose();

    public void Committed(IReadOnlyCollection<UnitOfWork> transitions)
    {
        _group.Record(transitions.Count);
        foreach (var transition in transitions)
        {
            foreach (var entry in transition.History)
                _entries.Add(1, new KeyValuePair<string, object?>("entry", entry.Entry));
            foreach (var call in transition.Ended)
                Count(transition, call);
            if (transition.Stage is { } stage)
            {
                var by = new KeyValuePair<string, object?>("stage", stage.Stage);
                _stages.Add(1, by);
                _routed.Add(1, by, new KeyValuePair<string, object?>("llm.model", stage.Model),
                    new KeyValuePair<string, object?>("without", stage.Without));
            }
        }
    }

    /// <summary>A question to the small model was committed as a member of another's call.</summary>
    public void QuestionJoined() => _packed.Add(1);

    public void ThresholdReached(QuotaThresholdReached alert) =>
        _alerts.Add(1, new KeyValuePair<string, object?>("kind", alert.Kind), new KeyValuePair<string, object?>("subject", alert.Subject),
            new KeyValuePair<string, object?>("percent", alert.Percent));

    internal void CatalogueReloaded(string result) => _reloads.Add(1, new KeyValuePair<string, object?>("result", result));
    public void HealthChanged(ProviderHealthChanged health) =>
        _breakers.Add(1, new KeyValuePair<string, object?>("bucket", health.Bucket),
            new KeyValuePair<string, object?>("state", health.State));

    public void DecidedAgain(CommitOutcome why) => _again.Add(1, new KeyValuePair<string, object?>("why", why.ToString()));

    private void Count(UnitOfWork transition, AttemptRow call)
    {
        var model = new KeyValuePair<string, object?>("llm.model", transition.Settlement?.Reserved.Bucket);
        if (transition.KeyUse?.Calls is not 0)
            _calls.Add(1, model, new KeyValuePair<string, object?>("outcome", call.Outcome));
        if (call.InputTokens is > 0)
            _tokens.Add(call.InputTokens.Value, model, new KeyValuePair<string, object?>("direction", "input"));
        if (call.OutputTokens is > 0)
            _tokens.Add(call.OutputTokens.Value, model, new KeyValuePair<string, object?>("direction", "output"));
        if (call.CostUsd is > 0)
            _cost.Add((double)call.CostUsd.Value, model);
        if (call.LatencyMs is { } ms)
            _latency.Record(ms / 1000.0, model);
    }
}
