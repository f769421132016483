using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace LlmQueue.Bench.Drain;

/// <summary>What the queue said when each task would move, against when it did: the first <c>expectedAt</c> of each task's LlmTaskDeferred.</summary>
internal sealed class Promises
{
    private readonly ConcurrentDictionary<Guid, (DateTimeOffset At, DateTimeOffset Expected)> _first = new();

    public void Clear() => _first.Clear();

    public void Hear(ReadOnlyMemory<byte> body)
    {
        using var envelope = JsonDocument.Parse(body);
        var message = envelope.RootElement.TryGetProperty("message", out var inner) ? inner : envelope.RootElement;
        if (message.TryGetProperty("expectedAt", out var expected) && expected.ValueKind == JsonValueKind.String)
            _first.TryAdd(message.GetProperty("taskId").GetGuid(), (message.GetProperty("at").GetDateTimeOffset(), expected.GetDateTimeOffset()));
    }

    /// <summary>The errors as shares of the waits, sorted; waits under a second are left out, there is nothing to expect in them.</summary>
    public async Task<IReadOnlyList<double>> Errors(string database, bool verbose)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand("select task_id, min(started_at) from attempts where started_at is not null group by task_id");
        await using var reader = await command.ExecuteReaderAsync();
        var errors = new List<double>();
        var waits = new List<(double Wait, double Told)>();
        while (await reader.ReadAsync())
            if (_first.TryGetValue(reader.GetGuid(0), out var promise) && new DateTimeOffset(reader.GetDateTime(1)) is var moved && moved - promise.At > TimeSpan.FromSeconds(1))
            {
                errors.Add(Math.Abs((moved - promise.Expected) / (moved - promise.At)));
                waits.Add(((moved - promise.At).TotalSeconds, (promise.Expected - promise.At).TotalSeconds));
            }

        if (verbose)
            foreach (var part in waits.OrderBy(w => w.Wait).Chunk(Math.Max(1, waits.Count / 10)))
                await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  waited {part[0].Wait:0.0} to {part[^1].Wait:0.0} s: told {part.Average(w => w.Told):0.0} s on average, {part.Min(w => w.Told):0.0} to {part.Max(w => w.Told):0.0} s"));
        errors.Sort();
        return errors;
    }
}
