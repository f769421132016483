using System.Text.Json;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Faults;

/// <summary>The scripted faults in the order they were posted: the first that fits a call and has hits left takes it.</summary>
internal sealed class FaultBoard
{
    private readonly Lock _gate = new();
    private volatile Posted[] _posted = [];
    private int _lastId;
    private CancellationTokenSource _generation = new();

    /// <summary>Cancelled by a reset, which lets go of the calls that hang.</summary>
    public CancellationToken Generation => Volatile.Read(ref _generation).Token;

    public int Post(FaultScript script)
    {
        var kind = script.Fault.Kind;
        _ = script.Fault.Throttle?.LimitWindow;
        lock (_gate)
        {
            var posted = new Posted(++_lastId, script, kind);
            _posted = [.. _posted, posted];
            return posted.Id;
        }
    }

    public Fault? Take(bool refusals, ChatRequest request, string key, string org)
    {
        // Nearly every call of a benchmark passes here, and nearly none meets a fault.
        if (_posted.Length == 0)
        {
            return null;
        }

        lock (_gate)
        {
            foreach (var posted in _posted)
            {
                if (posted.Kind.IsRefusal == refusals && Fits(posted.Script.Match, request, key, org) && posted.Hit())
                {
                    return posted.Script.Fault;
                }
            }
        }

        return null;
    }

    /// <summary>One of them, or all when no id is given.</summary>
    public void Remove(int? id = null)
    {
        lock (_gate)
        {
            _posted = id is null ? [] : [.. _posted.Where(posted => posted.Id != id)];
        }
    }

    public void Reset()
    {
        Remove();
        // Not disposed: calls that hang still hold its token, and there is nothing in it to release.
        Interlocked.Exchange(ref _generation, new CancellationTokenSource()).Cancel();
    }

    public void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartArray();
        foreach (var posted in _posted)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", posted.Id);
            writer.WriteNumber("hits", posted.Hits);
            writer.WriteNumber("seen", posted.Seen);
            writer.WritePropertyName("script");
            JsonSerializer.Serialize(writer, posted.Script, FaultJson.Default.FaultScript);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static bool Fits(FaultMatch? match, ChatRequest request, string key, string org) =>
        match is null
        || ((match.Model is null || string.Equals(match.Model, request.Model, StringComparison.Ordinal))
            && (match.Key is null || string.Equals(match.Key, key, StringComparison.Ordinal))
            && (match.Org is null || string.Equals(match.Org, org, StringComparison.Ordinal))
            && (match.Contains is null || request.Mentions(match.Contains)));

    private sealed class Posted(int id, FaultScript script, FaultKind kind)
    {
        public int Id { get; } = id;
        public FaultScript Script { get; } = script;
        public FaultKind Kind { get; } = kind;

        private readonly Random _chance = new(id);
        public int Seen { get; private set; }
        public int Hits { get; private set; }

        public bool Hit()
        {
            Seen++;
            var hits = Seen > Script.Skip && !(Hits >= Script.Times) && (Script.Share is not { } share || _chance.NextDouble() < share);
            Hits += hits ? 1 : 0;
            return hits;
        }
    }
}
