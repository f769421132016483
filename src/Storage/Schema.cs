using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmQueue.Storage;

/// <summary>Applies the migrations, whichever host comes first.</summary>
public static class Schema
{
    /// <summary>Any number will do as long as every version of the program uses the same.</summary>
    private const long MigrationLock = 7_255_142_001;

    /// <summary>Applies what is missing under an advisory lock.</summary>
    /// <exception cref="InvalidOperationException">The database was written by a newer program.</exception>
    public static async Task Apply(QueueDb db, ILogger logger, CancellationToken cancellationToken)
    {
        await db.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            await db.Database.ExecuteSqlAsync($"select pg_advisory_lock({MigrationLock})", cancellationToken);
            var known = db.Database.GetMigrations().ToHashSet(StringComparer.Ordinal);
            var applied = await db.Database.GetAppliedMigrationsAsync(cancellationToken);
            var unknown = applied.Where(m => !known.Contains(m)).ToList();
            if (unknown.Count > 0)
                throw new InvalidOperationException(
                    "The database is newer than this program: "
                        + $"it has the migration '{unknown[^1]}', the newest known here is '{known.Order(StringComparer.Ordinal).Last()}'. "
                        + "Start the program version that wrote it, or give this one a database of its own (DATABASE_URL).");
            var pending = (await db.Database.GetPendingMigrationsAsync(cancellationToken)).ToList();
            if (pending.Count == 0)
                return;
            await db.Database.MigrateAsync(cancellationToken);
            logger.LogInformation("Database brought up to date: {Migrations}", string.Join(", ", pending));
        }
        finally
        {
            if (db.Database.GetDbConnection() is NpgsqlConnection { State: System.Data.ConnectionState.Open })
                await db.Database.ExecuteSqlAsync($"select pg_advisory_unlock({MigrationLock})", CancellationToken.None);
            await db.Database.CloseConnectionAsync();
        }
    }
}
