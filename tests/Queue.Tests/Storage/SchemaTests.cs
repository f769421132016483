using LlmQueue.Hosting;
using LlmQueue.Storage;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmQueue.Tests.Storage;

public sealed class SchemaTests
{
    [Fact]
    public async Task The_migrations_written_by_hand_make_the_tables_of_the_model()
    {
        await using var store = await Prepared();
        await using var db = await Context(store);

        var found = await Columns(db.Database.GetConnectionString()!);
        var expected = db.Model.GetEntityTypes().SelectMany(entity => entity.GetFlattenedProperties().Select(p =>
            $"{entity.GetTableName()}.{p.GetColumnName()} {TypeName(StoredType(p))} "
                + $"{(p.IsNullable ? "null" : "not null")}"));
        Assert.Equal(expected.Order(StringComparer.Ordinal),
            found.Where(c => db.Model.GetEntityTypes().Any(e => c.StartsWith($"{e.GetTableName()}.", StringComparison.Ordinal)))
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_keys_of_the_tables_are_the_keys_of_the_model()
    {
        await using var store = await Prepared();
        await using var db = await Context(store);
        foreach (var entity in db.Model.GetEntityTypes())
        {
            var key = await Values(db.Database.GetConnectionString()!, """
                select a.attname from pg_index i cross join lateral unnest(i.indkey) with ordinality k(attnum, place) join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                where i.indisprimary and i.indrelid = $1::regclass order by k.place
                """, entity.GetTableName()!);
            Assert.Equal(entity.FindPrimaryKey()!.Properties.Select(p => p.GetColumnName()), key);
        }
    }

    [Fact]
    public async Task A_column_that_only_one_side_knows_is_found()
    {
        await using var store = await Prepared();
        await using var db = await Context(store);
        var before = await Columns(db.Database.GetConnectionString()!);

        await db.Database.ExecuteSqlRawAsync("alter table tasks alter column tenant drop not null, add column forgotten int",
            TestContext.Current.CancellationToken);

        Assert.Equal(["tasks.forgotten integer null", "tasks.tenant text null"],
            (await Columns(db.Database.GetConnectionString()!)).Except(before).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_database_of_a_newer_program_is_refused_with_a_sentence()
    {
        await using var store = await Prepared();
        await using var db = await Context(store);
        await db.Database.ExecuteSqlRawAsync("insert into \"__EFMigrationsHistory\" values ('29991231_99_Future', '99.0')",
            TestContext.Current.CancellationToken);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(
            () => store.PrepareStorage(TestContext.Current.CancellationToken));

        Assert.StartsWith("The database is newer than this program: it has the migration '29991231_99_Future', the newest known here is '",
            refused.Message, StringComparison.Ordinal);
        Assert.Contains("give this one a database of its own (DATABASE_URL)", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hosts_that_migrate_at_once_take_turns()
    {
        var database = await (await SharedServers.Postgres).CreateDatabase();
        var hosts = Enumerable.Range(0, 4).Select(_ => Store(database)).ToList();

        await Task.WhenAll(hosts.Select(h => h.PrepareStorage(TestContext.Current.CancellationToken)));

        Assert.Single(
            await Values(database, "select \"MigrationId\" from \"__EFMigrationsHistory\" where \"MigrationId\" like $1", "%_First"));
        foreach (var host in hosts)
            await host.DisposeAsync();
    }

    private static async Task<List<string>> Columns(string database) => await Values(database,
        "select table_name || '.' || column_name || ' ' || data_type || case is_nullable when 'YES' then ' null' else ' not null' end from "
            + "information_schema.columns where table_schema = $1",
        "public");

    private static Type StoredType(IProperty property)
    {
        var type = property.GetValueConverter()?.ProviderClrType ?? property.ClrType;
        return Nullable.GetUnderlyingType(type) ?? type;
    }

    private static string TypeName(Type type) =>
        type == typeof(Guid) ? "uuid"
            : type == typeof(string) ? "text"
            : type == typeof(int) ? "integer" : type == typeof(short) ? "smallint" : type == typeof(long) ? "bigint"
        : type == typeof(double) ? "double precision"
        : type == typeof(decimal) ? "numeric" : type == typeof(bool) ? "boolean" : type == typeof(DateTime) ? "timestamp with time zone"
        : throw new NotSupportedException(type.Name);

    private static async Task<List<string>> Values(string database, string sql, string value)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new NpgsqlParameter { Value = value } } };
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var values = new List<string>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
            values.Add(reader.GetString(0));
        return values;
    }

    private static async Task<ServiceProvider> Prepared()
    {
        var store = Store(await (await SharedServers.Postgres).CreateDatabase());
        await store.PrepareStorage(TestContext.Current.CancellationToken);
        return store;
    }

    private static ServiceProvider Store(string database) =>
        new ServiceCollection().AddLogging().AddMetrics().AddQueueStorage(database).BuildServiceProvider();

    private static Task<QueueDb> Context(IServiceProvider store) =>
        store.GetRequiredService<IDbContextFactory<QueueDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
}
