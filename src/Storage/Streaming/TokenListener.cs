using System.Collections.Concurrent;
using System.Threading.Channels;
using LlmQueue.Storage.Loops;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage.Streaming;

/// <summary>
/// Receives the pieces of streamed answers, on one database connection for all readers; it is opened when the first reader comes.
/// </summary>
public sealed class TokenListener(NpgsqlDataSource database, TimeProvider clock, ILogger<TokenListener> logger) : BackgroundService
{
    private static readonly TimeSpan AfterLoss = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<Guid, Channel<TokenChunk>> _listeners = new();
    private readonly TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TaskCompletionSource _hears = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// The pieces of one answer from now on, until disposed. Waits a moment for the connection; without one the answer
    /// comes whole at its end.
    /// </summary>
    public async Task<TokenSubscription> Listen(Guid task, CancellationToken cancellationToken)
    {
        _wanted.TrySetResult();
        var channel = _listeners.GetOrAdd(task, _ => Channel.CreateUnbounded<TokenChunk>());
        try
        {
            await _hears.Task.WaitAsync(TimeSpan.FromSeconds(2), clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            logger.LogDebug("Nothing is heard of task {Task} for now; its answer will come whole.", task);
        }

        return new TokenSubscription(channel.Reader, () => _listeners.TryRemove(task, out _));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await _wanted.Task.WaitAsync(stoppingToken);
            while (!stoppingToken.IsCancellationRequested)
            {
                try
                {
                    await Hear(stoppingToken);
                }
                catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is InvalidOperationException)
                {
                    logger.LogInformation("Answers are not heard while they are written ({Reason}); they come whole until that is mended.",
                        e.Message);
                    _hears = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    await Task.Delay(AfterLoss, clock, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("Nobody listens any more.");
        }
    }

    private async Task Hear(CancellationToken cancellationToken)
    {
        // The data source hides its password; a connection of its own takes everything else from it.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Pooling = false, CommandTimeout = 0, ApplicationName = "LlmQueue tokens", KeepAlive = 5,
        };
        await using var connection = await Clone(settings, cancellationToken);
        connection.Notification += (_, heard) =>
        {
            if (TokenPublisher.Read(heard.Payload) is { } piece && _listeners.TryGetValue(piece.TaskId, out var channel))
                channel.Writer.TryWrite(piece);
        };
        await using (var listen = new NpgsqlCommand($"listen {TokenPublisher.Channel}", connection))
            await listen.ExecuteNonQueryAsync(cancellationToken);
        _hears.TrySetResult();
        while (true)
            await connection.WaitAsync(cancellationToken);
    }

    private async Task<NpgsqlConnection> Clone(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        await using var pooled = await database.OpenConnectionAsync(cancellationToken);
        var connection = pooled.CloneWith(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }
}

/// <summary>A subscription to the pieces of one answer.</summary>
public sealed class TokenSubscription(ChannelReader<TokenChunk> pieces, Action forget) : IDisposable
{
    public ChannelReader<TokenChunk> Pieces => pieces;

    public void Dispose() => forget();
}
