using System.Globalization;
using Npgsql;

namespace LlmQueue.Embedded;

/// <summary>
/// The PostgreSQL of the one-process host, started from the installed programs in a data folder of its own. It listens on a socket inside
/// a folder closed to others and on no network port: nothing to guess, nothing to collide, and no password to keep.
/// </summary>
public sealed class PrivatePostgres
{
    private const string Owner = "llmqueue";

    // Starting after a crash replays up to max_wal_size of log; a slow disk may need minutes for it.
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromMinutes(3);

    // Given on the command line, so that a change here reaches data folders made by older versions too.
    private static readonly string[] Settings =
    [
        "listen_addresses=", // the socket only
        "max_connections=100",
        "shared_buffers=256MB", // the default of 128 MB evicts hot rows once a backlog of payloads passes through
        "synchronous_commit=on", // a task that was accepted survives a power cut
        "wal_compression=on", // the transitions rewrite the same pages over and over
        "max_wal_size=2GB", // the load writes in bursts; a checkpoint in each would write every hot page again
        "checkpoint_timeout=15min",
    ];

    private readonly PostgresPrograms programs;
    private readonly PostgresFolder folder;
    private readonly DataFolderLock taken;
    private bool stopped;

    private PrivatePostgres(PostgresPrograms programs, PostgresFolder folder, DataFolderLock taken) =>
        (this.programs, this.folder, this.taken) = (programs, folder, taken);

    /// <summary>For Npgsql; the database exists.</summary>
    public string ConnectionString => ConnectionTo(Owner).ConnectionString;

    /// <summary>
    /// Starts the server on <paramref name="dataFolder"/>, making it on first use, or takes over the one that a killed process left running
    /// there. Whatever is in the way is an <see cref="InvalidOperationException"/> with a sentence for the person who started us.
    /// </summary>
    public static async Task<PrivatePostgres> Start(string dataFolder, Action<string> say, CancellationToken cancel)
    {
        dataFolder = Path.GetFullPath(dataFolder);
        Directory.CreateDirectory(dataFolder);
        var held = DataFolderLock.Take(dataFolder);
        try
        {
            var place = await PostgresFolder.Prepare(dataFolder, say, cancel);
            var postgres = new PrivatePostgres(await PostgresPrograms.Find(place.Major(), cancel), place, held);
            await postgres.Serve(say, cancel);
            return postgres;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Ends the server in order, so that the next start has nothing to replay, and frees the data folder.</summary>
    public async Task Stop()
    {
        if (stopped)
        {
            return;
        }

        stopped = true;
        using (taken)
        {
            await RunOrThrow("stopped", "pg_ctl", ["stop", "-D", folder.Data, "-m", "fast", "-w", "-t", "60"], CancellationToken.None);
        }
    }

    /// <summary>What kill -9 of our process does to the folder: the lock is free, the server runs on. For tests.</summary>
    internal void Abandon()
    {
        stopped = true;
        taken.Dispose();
    }

    private async Task Serve(Action<string> say, CancellationToken cancel)
    {
        if (folder.Major() is null)
        {
            await Initialize(say, cancel);
        }

        if (await folder.RunningServer(cancel) is { } pid)
        {
            say($"PostgreSQL {programs.Major} still runs in {folder.Root} (process {pid}): taking it over.");
            await Answers(pid, cancel);
        }
        else
        {
            await StartServer(cancel);
            say($"PostgreSQL {programs.Major} started in {folder.Root}.");
        }

        await CreateDatabase(cancel);
    }

    private async Task StartServer(CancellationToken cancel)
    {
        // pg_ctl hands these to a shell, the one place where a quote in a folder's name would end the word.
        var socket = folder.Socket.Replace("'", "'\\''", StringComparison.Ordinal);
        var options = string.Join(' ', Settings.Append($"unix_socket_directories=\"{socket}\"").Select(setting => $"-c '{setting}'"));
        var seconds = ((int)AnswersWithin.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        await RunOrThrow("started", "pg_ctl", ["start", "-D", folder.Data, "-l", folder.Log, "-w", "-t", seconds, "-o", options], cancel);
    }

    // Under another name first: a process killed in the middle must not leave a folder that looks finished.
    private async Task Initialize(Action<string> say, CancellationToken cancel)
    {
        var unfinished = folder.Data + ".unfinished";
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }

        string[] arguments = ["-D", unfinished, "-U", Owner, "-A", "trust", "-E", "UTF8", "--locale=C"];
        await RunOrThrow("set up", "initdb", arguments, cancel);
        Directory.Move(unfinished, folder.Data);
        say($"PostgreSQL {programs.Major} was set up in {folder.Root}.");
    }

    private async Task Answers(int pid, CancellationToken cancel)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (await Refusal(cancel) is { } refusal)
        {
            if (await folder.RunningServer(cancel) is null)
            {
                // It was on its way down when we came.
                await StartServer(cancel);
                return;
            }

            if (TimeProvider.System.GetElapsedTime(began) > AnswersWithin)
            {
                throw new InvalidOperationException(
                    $"PostgreSQL runs in {folder.Root} (process {pid}) but has not answered for {AnswersWithin.TotalMinutes:0} minutes: "
                        + $"{refusal} Its log is {folder.Log}."
                );
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancel);
        }
    }

    private async Task<string?> Refusal(CancellationToken cancel)
    {
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionTo("postgres").ConnectionString);
            await connection.OpenAsync(cancel);
            return null;
        }
        catch (NpgsqlException problem)
        {
            return problem.Message;
        }
    }

    private async Task CreateDatabase(CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(ConnectionTo("postgres").ConnectionString);
        await connection.OpenAsync(cancel);
        await using var exists =
            new NpgsqlCommand("select 1 from pg_database where datname = $1", connection) { Parameters = { new() { Value = Owner } } };
        if (await exists.ExecuteScalarAsync(cancel) is null)
        {
            await using var create = new NpgsqlCommand($"create database {Owner}", connection);
            await create.ExecuteNonQueryAsync(cancel);
        }
    }

    private NpgsqlConnectionStringBuilder ConnectionTo(string database) =>
        new()
        {
            Host = folder.Socket,
            Username = Owner,
            Database = database,
            // Room below max_connections for psql and for the superuser's three.
            MaxPoolSize = 90,
            Pooling = string.Equals(database, Owner, StringComparison.Ordinal),
        };

    private async Task RunOrThrow(string participle, string program, string[] arguments, CancellationToken cancel)
    {
        var (code, output) = await programs.Run(program, arguments, cancel);
        if (code != 0)
        {
            var log = File.Exists(folder.Log) ? "\n" + string.Join('\n', File.ReadLines(folder.Log).TakeLast(5)) : "";
            throw new InvalidOperationException($"PostgreSQL could not be {participle} in {folder.Root}; {program} said: {output}{log}");
        }
    }
}
