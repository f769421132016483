namespace LlmQueue.Tests.Chaos;

/// <summary>
/// What stands in the database when a test gives up: the first thing that somebody who looks for the cause wants to know.
/// </summary>
internal static class Census
{
    private const string Question = """
        select 'tasks ' || state || coalesce(' granted ' || (granted_at is not null)::text, ''), count(*)::text from tasks group by 1
        union all select 'open attempts of ' || coalesce(w.name, 'a worker that is gone'), count(*)::text || ', since ' || min(a.started_at)::text
            from attempts a left join workers w on w.id = a.worker where a.ended_at is null and a.worker is not null group by 1
        union all select 'unclaimed attempts', count(*)::text from attempts where ended_at is null and worker is null
        union all select 'announcements', count(*)::text || ', since ' || coalesce(min(at)::text, '') from announcements
        union all select 'waiting at ' || id, waiting::text from buckets
        union all select 'now', now()::text
        """;

    private const string Who = """
        select pid || ' ' || application_name || ' ' || coalesce(state, '') || ' ' || coalesce(wait_event_type || '/' || wait_event, ''),
            'for ' || (now() - coalesce(state_change, backend_start))::text || ', blocked by ' || pg_blocking_pids(pid)::text || ': ' || left(regexp_replace(query, '\s+', ' ', 'g'), 100)
        from pg_stat_activity where datname = current_database() and state <> 'idle'
        """;

    public static Task<string> Take(Installation installation) =>
        Ask(installation, Question, $"accepted {installation.Producer.Accepted.Count}, heard of {installation.Subscriber.Tasks}");

    /// <summary>Who is in the middle of something, and who waits for whom.</summary>
    public static Task<string> Sessions(Installation installation) => Ask(installation, Who);

    private static async Task<string> Ask(Installation installation, string question, params string[] before)
    {
        var lines = before.ToList();
        await using var query = installation.Database.CreateCommand(question);
        await using var rows = await query.ExecuteReaderAsync(CancellationToken.None);
        while (await rows.ReadAsync(CancellationToken.None))
        {
            lines.Add($"{rows.GetString(0)}: {rows.GetString(1)}");
        }

        return string.Join('\n', lines);
    }
}
