using System.Collections.Concurrent;
using Npgsql;

namespace LlmQueue.Worker.Estimation;

/// <summary>
/// Sums that all workers learn together: each adds what it saw to one row a key and reads what all have seen, so that all learn from all
/// and a restart forgets nothing. The first column counts; when it passes <paramref name="fading"/> all are halved, so that old samples
/// count less.
/// </summary>
/// <param name="database">The database.</param>
/// <param name="table">The table: a text key named id, and the columns.</param>
/// <param name="columns">The sums, the count first.</param>
/// <param name="fading">Samples at which the sums are halved.</param>
public sealed class SharedSums(NpgsqlDataSource database, string table, string[] columns, double fading)
{
    private readonly ConcurrentDictionary<string, Learned> _learned = new(StringComparer.Ordinal);

    /// <summary>What was learned of a key, by all and by this process since; null for a key nobody has seen.</summary>
    public double[]? Of(string key) => _learned.TryGetValue(key, out var learned) ? learned.Present : null;

    public void Add(string key, params ReadOnlySpan<double> sample) => _learned.GetOrAdd(key, _ => new Learned(columns.Length)).Add(sample);

    public async Task Load(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"select id, {string.Join(", ", columns)} from {table}");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            _learned.GetOrAdd(reader.GetString(0), _ => new Learned(columns.Length)).Shared(Read(reader, 1), given: null);
    }

    /// <summary>Adds what this worker has seen since to the shared sums and takes what all have seen.</summary>
    /// <exception cref="NpgsqlException">The database does not answer; nothing is lost, the next call adds it.</exception>
    public async Task Share(CancellationToken cancellationToken)
    {
        var fades = $"case when t.{columns[0]} + $2 > {fading:0} then 2 else 1 end";
        var sets = string.Join(", ", columns.Select((column, i) => $"{column} = (t.{column} + ${i + 2}) / {fades}"));
        var sql = $"insert into {table} as t (id, {string.Join(", ", columns)}) values ($1, "
            + $"{string.Join(", ", columns.Select((_, i) => $"${i + 2}"))}) on conflict (id) "
            + $"do update set {sets} returning {string.Join(", ", columns)}";
        foreach (var (key, learned) in _learned)
        {
            var seen = learned.Seen;
            if (seen[0] == 0)
                continue;
            await using var command = database.CreateCommand(sql);
            command.Parameters.AddWithValue(key);
            foreach (var sum in seen)
                command.Parameters.AddWithValue(sum);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            if (await reader.ReadAsync(cancellationToken))
                learned.Shared(Read(reader, 0), seen);
        }
    }

    private double[] Read(NpgsqlDataReader reader, int first)
    {
        var sums = new double[columns.Length];
        for (var i = 0; i < sums.Length; i++)
            sums[i] = reader.GetDouble(first + i);
        return sums;
    }

    private sealed class Learned(int size)
    {
        private readonly Lock _lock = new();
        private readonly double[] _shared = new double[size];
        private readonly double[] _seen = new double[size];

        public double[] Present { get; private set; } = new double[size];

        public double[] Seen
        {
            get
            {
                lock (_lock)
                    return [.. _seen];
            }
        }

        public void Add(ReadOnlySpan<double> sample)
        {
            lock (_lock)
            {
                for (var i = 0; i < size; i++)
                    _seen[i] += sample[i];
                Sum();
            }
        }

        public void Shared(double[] shared, double[]? given)
        {
            lock (_lock)
            {
                for (var i = 0; i < size; i++)
                    (_shared[i], _seen[i]) = (shared[i], _seen[i] - (given?[i] ?? 0));
                Sum();
            }
        }

        // A new array each time: readers hold the old one without a lock.
        private void Sum()
        {
            var present = new double[size];
            for (var i = 0; i < size; i++)
                present[i] = _shared[i] + _seen[i];
            Present = present;
        }
    }
}
