using System.Collections.Concurrent;
using System.Threading.Channels;
using LlmQueue.Storage.Commits;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage.Streaming;

/// <summary>Hears what is being said, on one connection for all who wait; there is none until somebody listens for the first time.</summary>
public sealed class TokenListener(NpgsqlDataSource database, TimeProvider clock, ILogger<TokenListener> logger) : BackgroundService
{
    private static readonly TimeSpan AfterLoss = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<Guid, Channel<TokenChunk>> listeners = new();
    private readonly TaskCompletionSource wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TaskCompletionSource hears = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The pieces of one answer from now on, until disposed. Waits a moment for the connection; without one the answer comes whole at its end.</summary>
    public async Task<TokenSubscription> Listen(Guid task, CancellationToken cancellationToken)
    {
        wanted.TrySetResult();
        var channel = listeners.GetOrAdd(task, _ => Channel.CreateUnbounded<TokenChunk>());
        try
        {
            await hears.Task.WaitAsync(TimeSpan.FromSeconds(2), clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            logger.LogDebug("Nothing is heard of task {Task} for now; its answer will come whole.", task);
        }

        return new TokenSubscription(channel.Reader, () => listeners.TryRemove(task, out _));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await wanted.Task.WaitAsync(stoppingToken);
            while (!stoppingToken.IsCancellationRequested)
            {
                try
                {
                    await Hear(stoppingToken);
                }
                catch (Exception e) when (DatabaseFaults.IsPassing(e) || e is InvalidOperationException)
                {
                    logger.LogInformation("Answers are not heard while they are written ({Reason}); they come whole until that is mended.", e.Message);
                    hears = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    await Task.Delay(AfterLoss, clock, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("Nobody listens any more.");
        }
    }

    private async Task Hear(CancellationToken stopping)
    {
        // The data source hides its password; a connection of its own takes everything else from it.
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false, CommandTimeout = 0, ApplicationName = "LlmQueue tokens", KeepAlive = 5 };
        await using var connection = await Clone(settings, stopping);
        connection.Notification += (_, heard) =>
        {
            if (TokenPublisher.Read(heard.Payload) is { } piece && listeners.TryGetValue(piece.TaskId, out var channel))
                channel.Writer.TryWrite(piece);
        };
        await using (var listen = new NpgsqlCommand($"listen {TokenPublisher.Channel}", connection))
            await listen.ExecuteNonQueryAsync(stopping);
        hears.TrySetResult();
        while (true)
            await connection.WaitAsync(stopping);
    }

    private async Task<NpgsqlConnection> Clone(NpgsqlConnectionStringBuilder settings, CancellationToken stopping)
    {
        await using var pooled = await database.OpenConnectionAsync(stopping);
        var connection = pooled.CloneWith(settings.ConnectionString);
        await connection.OpenAsync(stopping);
        return connection;
    }
}

/// <summary>The pieces of one answer as they are heard.</summary>
public sealed class TokenSubscription(ChannelReader<TokenChunk> pieces, Action forget) : IDisposable
{
    public ChannelReader<TokenChunk> Pieces => pieces;

    public void Dispose() => forget();
}
