using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using RabbitMQ.Client;

namespace LlmQueue.Hosting;

/// <summary>
/// Checks the servers once, so that a person at a terminal is told at once what a host would otherwise retry again and again.
/// </summary>
public static class ServerChecks
{
    private const int Seconds = 5;

    /// <summary>Why the database cannot be used, as a sentence; null when it answers.</summary>
    public static async Task<string?> WhyNoDatabase(string connectionString, CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, Timeout = Seconds };
        try
        {
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(cancellationToken);
            return null;
        }
        catch (Exception fault) when (fault is NpgsqlException or System.Net.Sockets.SocketException or TimeoutException)
        {
            return $"The database of DATABASE_URL ({settings.Host}:{settings.Port}/{settings.Database}) cannot be used: "
                + $"{fault.GetBaseException().Message}. Start it or correct DATABASE_URL; left out, the queue keeps a private PostgreSQL.";
        }
    }

    /// <summary>What a database that answers is like; changes nothing.</summary>
    public static async Task<DatabaseShape> DatabaseShape(string connectionString, CancellationToken cancellationToken)
    {
        await using var db = new QueueDb(new DbContextOptionsBuilder<QueueDb>()
            .UseNpgsql(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString).Options);
        await db.Database.OpenConnectionAsync(cancellationToken);
        var known = db.Database.GetMigrations().ToList();
        var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
        return new DatabaseShape(((NpgsqlConnection)db.Database.GetDbConnection()).PostgreSqlVersion.ToString(), [.. known.Except(applied)],
            [.. applied.Except(known)]);
    }

    /// <summary>Why the broker cannot be used, as a sentence; null when it answers.</summary>
    public static async Task<string?> WhyNoBroker(RabbitMqAddress broker, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory
        {
            HostName = broker.Host, Port = broker.Port, VirtualHost = broker.VirtualHost, UserName = broker.User,
            Password = broker.Password,
            RequestedConnectionTimeout = TimeSpan.FromSeconds(Seconds), AutomaticRecoveryEnabled = false,
        };
        factory.Ssl.Enabled = broker.Tls;
        factory.Ssl.ServerName = broker.Host;
        try
        {
            await using var connection = await factory.CreateConnectionAsync("LlmQueue check", cancellationToken);
            return null;
        }
        catch (Exception fault)
            when (fault is RabbitMQ.Client.Exceptions.RabbitMQClientException
                or IOException
                or System.Net.Sockets.SocketException
                or TimeoutException)
        {
            return $"The broker of RABBITMQ_URL ({broker}) cannot be used: {fault.GetBaseException().Message}. "
                + "Start it or correct RABBITMQ_URL; left out, messages stay inside the process.";
        }
    }
}

/// <summary>The state of a database.</summary>
/// <param name="Version">PostgreSQL's.</param>
/// <param name="Pending">Migrations that it lacks.</param>
/// <param name="Unknown">Migrations that a newer program has written.</param>
public sealed record DatabaseShape(string Version, IReadOnlyList<string> Pending, IReadOnlyList<string> Unknown);
