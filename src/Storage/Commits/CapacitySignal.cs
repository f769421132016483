using LlmQueue.Storage.Loops;
using Npgsql;

namespace LlmQueue.Storage.Commits;

/// <summary>
/// The wake-up signal of the capacity scheduler, in whichever process it leads: set directly in this one, else sent by NOTIFY. Sent at most
/// every 40 ms a process: a NOTIFY takes a lock of the whole database at commit, so it must not go with every commit.
/// </summary>
public sealed class CapacitySignal(NpgsqlDataSource database, TimeProvider clock)
{
    public const string Channel = "llmqueue_lines";
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(40);

    private readonly Lock _lock = new();
    private bool _sending;
    private bool _again;

    /// <summary>The signal of a capacity scheduler that leads in this process: then no message has to leave it.</summary>
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
            if (_sending)
                return;
            _sending = true;
        }

        _ = SendNotifications();
    }

    private async Task SendNotifications()
    {
        while (true)
        {
            lock (_lock)
            {
                if (!_again)
                {
                    _sending = false;
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
                // The wake-up is lost; the capacity scheduler looks at its wait queues by itself within seconds.
                System.Diagnostics.Trace.WriteLine(e.Message);
            }

            await Task.Delay(Rest, clock);
        }
    }
}
