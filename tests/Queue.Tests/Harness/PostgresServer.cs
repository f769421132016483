using System.Globalization;
using LlmQueue.Embedded;
using Npgsql;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// A real PostgreSQL of the test's own, with fsync on as in production: what survives a kill here survives it there. Connections are over
/// TCP, so a restart breaks them the way a database elsewhere would.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(60);

    private readonly PostgresPrograms programs;
    private readonly ServerFolder folder;
    private readonly int port = Ports.Free();
    private ProcessUnderTest? server;
    private int databases;

    private readonly ServerPlace? place;

    private PostgresServer(PostgresPrograms programs, ServerFolder folder, ServerPlace? place) =>
        (this.programs, this.folder, this.place) = (programs, folder, place);

    private string Data => Path.Combine(place?.Path ?? folder.Path, "data");

    /// <summary>What the server itself has printed, for example the statements of a database whose log_statement is on.</summary>
    public IReadOnlyCollection<string> Output => server?.Output ?? [];

    public bool IsRunning => server is { HasExited: false };

    /// <summary>The server's first process, for whoever reads its clocks.</summary>
    public int ProcessId => server?.Id ?? throw new InvalidOperationException("PostgreSQL does not run.");

    public static Task<PostgresServer> StartNew() => StartNew(place: null);

    /// <summary>With its data in that place.</summary>
    public static async Task<PostgresServer> StartNew(ServerPlace? place)
    {
        var installed = await PostgresPrograms.Find(major: null, CancellationToken.None);
        var postgres = new PostgresServer(installed, await ServerFolder.Create("postgres", PostgresPrograms.ServerUser), place);
        var command = postgres.Command("initdb", "-D", postgres.Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
            "--no-sync");
        await using (var initdb = ProcessUnderTest.Start(command[0], command[1..]))
        {
            Assert.True(await initdb.ExitCode(StartsWithin) == 0, $"initdb failed: {initdb.Tail()}");
        }

        await postgres.Start();
        return postgres;
    }

    /// <summary>On the same data and the same port.</summary>
    public async Task Start()
    {
        string[] settings =
        [
            $"port={port.ToString(CultureInfo.InvariantCulture)}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=256MB",
            place is null ? "max_wal_size=2GB" : "max_wal_size=64MB",
            "fsync=on",
        ];
        var command = Command("postgres", ["-D", Data, .. settings.SelectMany(setting => new[] { "-c", setting })]);
        await Forget();
        await Eventually.True("PostgreSQL accepts connections", StartsWithin, () => StartedOrTryAgain(command));
    }

    // After a kill, the dead server's children may hold its shared memory for a moment, and the new one rightly refuses
    // to start beside them.
    private async Task<bool> StartedOrTryAgain(string[] command)
    {
        if (server is { HasExited: true })
        {
            var said = server.Tail();
            await Forget();
            throw new InvalidOperationException(said);
        }

        server ??= ProcessUnderTest.Start(command[0], command[1..], doomed: folder.Path);
        await using var connection = new NpgsqlConnection(ConnectionTo("postgres"));
        await connection.OpenAsync();
        return true;
    }

    /// <summary>An empty database that nobody else uses.</summary>
    public async Task<string> CreateDatabase()
    {
        var name = $"test_{Interlocked.Increment(ref databases)}";
        await using var connection = new NpgsqlConnection(ConnectionTo("postgres"));
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand($"create database {name}", connection);
        await create.ExecuteNonQueryAsync();
        return ConnectionTo(name);
    }

    /// <summary>Immediate mode: every connection is cut in the middle of what it does, and the new server recovers from its log.</summary>
    public async Task Restart()
    {
        await End(PosixSignalNumber.Quit);
        await Start();
    }

    /// <summary>Fast mode: transactions are rolled back, everything is written.</summary>
    public Task Stop() => End(PosixSignalNumber.Interrupt);

    /// <summary>kill -9 of the server's first process; the others notice and go.</summary>
    public Task Kill() => End(PosixSignalNumber.Kill);

    public async ValueTask DisposeAsync()
    {
        await End(PosixSignalNumber.Quit);
        await Forget();
        folder.Dispose();
    }

    /// <summary>As the server's user, in its place.</summary>
    private string[] Command(string program, params string[] arguments)
    {
        var command = folder.AsUser([Path.Combine(programs.Folder, program), .. arguments]);
        return place?.Inside(command) ?? command;
    }

    private async Task End(PosixSignalNumber signal)
    {
        if (server is not null)
        {
            server.Send(signal);
            await server.ExitCode(TimeSpan.FromSeconds(60));
        }
    }

    private async Task Forget()
    {
        if (server is not null)
        {
            await server.DisposeAsync();
            server = null;
        }
    }

    private string ConnectionTo(string database) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = port,
            Username = "postgres",
            Database = database,
            // Three hundred connections are shared by all tests that run at once.
            MaxPoolSize = 40,
            Timeout = 5,
            Pooling = !string.Equals(database, "postgres", StringComparison.Ordinal),
        }.ConnectionString;
}

/// <summary>A small place that only those who are led in can see.</summary>
/// <param name="Path">Where it is, for those who are in.</param>
/// <param name="Inside">The command that leads a command in.</param>
public sealed record ServerPlace(string Path, Func<string[], string[]> Inside);
