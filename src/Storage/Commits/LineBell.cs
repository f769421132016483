using LlmQueue.Storage.Loops;
using Npgsql;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// Sets the Pacer's signal, in whichever process it leads: by hand in this one, else by a NOTIFY. Sent at most every 40 ms a process:
/// a NOTIFY takes a lock of the whole database at commit, so it must not go with every commit.
/// </summary>
public sealed class LineBell(NpgsqlDataSource database, TimeProvider clock)
{
    public const string Channel = "llmqueue_lines";
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(40);

    private readonly Lock _lock = new();
    private bool _ringing;
    private bool _again;

    /// <summary>The signal of a Pacer that leads in this process: then no message has to leave it.</summary>
    public Signal? Here { get; set; }

    public void Send()
    {
        if (Here is { } here)
        {
            here.Set();
            return;
        }

        lock (_lock)
        {
            _again = true;
            if (_ringing)
                return;
            _ringing = true;
        }

        _ = RingOut();
    }

    private async Task RingOut()
    {
        while (true)
        {
            lock (_lock)
            {
                if (!_again)
                {
                    _ringing = false;
                    return;
                }

                _again = false;
            }

            try
            {
                await using var command = database.CreateCommand($"select pg_notify('{Channel}', '')");
                await command.ExecuteNonQueryAsync();
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is ObjectDisposedException)
            {
                // Nobody is told now; the Pacer's own sweep looks at the lines within seconds.
                System.Diagnostics.Trace.WriteLine(e.Message);
            }

            await Task.Delay(Rest, clock);
        }
    }
}
