using Npgsql;

namespace LlmQueue.Bench.Backlog;

/// <summary>Makes a backlog of any size from one task that the queue itself has put in line: the same row with another id and a later turn, its prompt and its history.</summary>
internal static class Loader
{
    public static async Task Multiply(NpgsqlDataSource data, int count)
    {
        var tasks = string.Join(", ", (await Columns(data, "tasks")).Select(column => column switch
        {
            "id" => "m.new_id",
            "start_tag" => "t.start_tag + m.n",
            _ => $"t.{column}",
        }));
        await Run(data, $"""
            create temp table made as select n, gen_random_uuid() as new_id, (select id from tasks where state = 'WaitingForCapacity' order by start_tag desc limit 1) as old_id from generate_series(1, {count}) n;
            insert into tasks select {tasks} from made m join tasks t on t.id = m.old_id;
            insert into payloads select m.new_id, p.part, p.content from made m join payloads p on p.subject_id = m.old_id;
            insert into history select m.new_id, h.version, h.ordinal, h.at, h.entry, h.state, h.reason from made m join history h on h.subject_id = m.old_id;
            update buckets b set waiting = w.tasks, waiting_tokens_normal = w.tokens
                from (select l.buckets as id, count(*) as tasks, sum(t.line_tokens) as tokens from tasks t join lines l on l.id = t.line where t.state = 'WaitingForCapacity' and t.granted_at is null group by 1) w
                where b.id = w.id;
            drop table made;
            """);
        // As autovacuum does within the minute after such a load.
        await Run(data, "vacuum (analyze)");
        await Run(data, "checkpoint");
    }

    public static async Task<T> Ask<T>(NpgsqlDataSource data, string sql)
    {
        await using var command = data.CreateCommand(sql);
        command.CommandTimeout = 300;
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public static async Task Run(NpgsqlDataSource data, string sql)
    {
        await using var command = data.CreateCommand(sql);
        command.CommandTimeout = 900;
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<IReadOnlyList<string>> Columns(NpgsqlDataSource data, string table)
    {
        await using var command = data.CreateCommand("select column_name::text from information_schema.columns where table_name = $1 and table_schema = 'public' order by ordinal_position");
        command.Parameters.AddWithValue(table);
        await using var reader = await command.ExecuteReaderAsync();
        var columns = new List<string>();
        while (await reader.ReadAsync())
            columns.Add(reader.GetString(0));
        return columns;
    }
}
