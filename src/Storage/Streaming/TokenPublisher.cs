using System.Collections.Concurrent;
using System.Text;
using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage.Streaming;

/// <summary>A piece of an answer that is still being written.</summary>
/// <param name="TaskId">Whose answer.</param>
/// <param name="Attempt">Of which call: another attempt begins anew.</param>
/// <param name="Offset">Characters of the answer before it; a gap says that a piece was lost.</param>
/// <param name="Text">The piece.</param>
public sealed record TokenChunk(Guid TaskId, int Attempt, int Offset, string Text);

/// <summary>
/// Publishes the pieces of an answer while the provider sends them. They are for display only: nothing is stored, a piece may be lost, and
/// the answer itself comes from its row. Pieces of all answers go out together every 40 ms: a NOTIFY takes a lock of the whole database, so
/// there must be few of them.
/// </summary>
public sealed class TokenPublisher(NpgsqlDataSource database, TimeProvider clock, ILogger<TokenPublisher> logger)
{
    public const string Channel = "llmqueue_tokens";

    /// <summary>In characters: four bytes each stay below what a notification may carry.</summary>
    private const int LongestPiece = 1_800;
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(40);

    private readonly ConcurrentQueue<TokenChunk> _waiting = new();
    private int _speaking;

    public void Say(TokenChunk piece)
    {
        _waiting.Enqueue(piece);
        if (Interlocked.CompareExchange(ref _speaking, 1, 0) == 0)
            _ = Speak();
    }

    public static TokenChunk? Read(string payload)
    {
        var end = payload.IndexOf('\n');
        return end > 0 && payload[..end].Split(' ') is [var task, var attempt, var offset] && Guid.TryParse(task, out var id)
            && int.TryParse(attempt, out var number) && int.TryParse(offset, out var place)
            ? new TokenChunk(id, number, place, payload[(end + 1)..]) : null;
    }

    private async Task Speak()
    {
        do
        {
            await Task.Delay(Rest, clock);
            var payloads = Payloads();
            try
            {
                await using var command = database.CreateCommand($"select pg_notify('{Channel}', p) from unnest($1::text[]) p");
                command.Parameters.AddWithValue(payloads);
                await command.ExecuteNonQueryAsync();
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException)
            {
                logger.LogDebug("{Count} pieces were not told ({Reason}); the answer's row has them all.", payloads.Length, e.Message);
            }

            Volatile.Write(ref _speaking, 0);
        }
        // Something may have come between the last look and the sign that nobody speaks.
        while (!_waiting.IsEmpty && Interlocked.CompareExchange(ref _speaking, 1, 0) == 0);
    }

    private string[] Payloads()
    {
        var pieces = new List<TokenChunk>();
        while (_waiting.TryDequeue(out var piece))
            pieces.Add(piece);
        return [.. pieces.GroupBy(p => (p.TaskId, p.Attempt))
            .SelectMany(g => Cut(g.Key.TaskId, g.Key.Attempt, g.First().Offset, string.Concat(g.Select(p => p.Text))))];
    }

    private static IEnumerable<string> Cut(Guid task, int attempt, int offset, string text)
    {
        for (var at = 0; at < text.Length;)
        {
            var length = Math.Min(LongestPiece, text.Length - at);
            // Not between the halves of a character.
            if (at + length < text.Length && char.IsHighSurrogate(text[at + length - 1]))
                length--;
            yield return new StringBuilder().Append($"{task:N} {attempt} {offset + at}\n").Append(text, at, length).ToString();
            at += length;
        }
    }
}
