using System.Security.Cryptography;
using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Tests.Harness;
using Npgsql;

namespace LlmQueue.Tests.Chaos;

/// <summary>
/// What holds whatever is killed or restarted:
/// <list type="number">
/// <item>Every accepted task ended exactly once, as Completed, and there is no other task.</item>
/// <item>Its answer is the answer to its own prompt, in its row and in its event.</item>
/// <item>There is an event for each task; events that came twice say the same.</item>
/// <item>In every bucket and budget reserved = settled + released, as much was reserved as the attempts say, and nobody
/// waits any more.</item>
/// <item>No attempt is open, no reservation is left in a row, no event is unpublished.</item>
/// <item>Every call was of use, except those that a killed worker had open: the provider never answered the same prompt
/// twice otherwise.</item>
/// <item>No message was given up: the error queues and the dead-letter queue are empty, and no queue keeps anything.</item>
/// </list>
/// </summary>
internal static class Invariant
{
    // From the provider's last byte to our commit. A worker killed in between had the answer in its hand and could tell nobody.
    private static readonly TimeSpan CommitTakes = TimeSpan.FromSeconds(1);

    /// <param name="installation">After everything has settled.</param>
    /// <param name="killed">When a worker was killed, or was away for longer than its lease; where none was, not one call may have
    /// been wasted.</param>
    public static async Task Check(Installation installation, params IReadOnlyList<Moments.Fault> killed)
    {
        var accepted = installation.Producer.Accepted;
        Assert.Equal(installation.Tasks, accepted.Count);
        await EveryTaskEndedOnce(installation.Database, accepted);
        EveryEventSaysTheSame(installation.Subscriber.Heard, accepted);
        await TheBooksBalance(installation.Database);
        await NothingIsLeft(installation.Database);
        await NoCallWasWasted(installation, accepted, killed);
        await NoMessageWasGivenUp(installation);
    }

    private static async Task EveryTaskEndedOnce(NpgsqlDataSource database, IReadOnlyDictionary<Guid, string> accepted)
    {
        var tasks = await Rows(
            database,
            """
            select t.id, t.state, (select count(*) from history h where h.subject_id = t.id and h.state in ('Completed', 'Failed', 'Rejected', 'Canceled', 'Expired')),
                (select string_agg(content, '|') from payloads p where p.subject_id = t.id and p.part = 'answer'),
                (select count(*) from attempts a where a.task_id = t.id and a.outcome = 'answered')
            from tasks t
            """,
            row => (Id: row.GetGuid(0), State: row.GetString(1), Endings: row.GetInt64(2), Answer: row.IsDBNull(3) ? "" : row.GetString(3),
                Answered: row.GetInt64(4))
        );
        Assert.Equal(accepted.Keys.Order(), tasks.Select(task => task.Id).Order());
        Assert.All(tasks, task =>
        {
            Assert.Equal(("Completed", 1, 1), (task.State, task.Endings, task.Answered));
            Assert.Contains(MarkerOf(accepted[task.Id]), task.Answer, StringComparison.Ordinal);
        });
    }

    private static void EveryEventSaysTheSame(IReadOnlyCollection<LlmTaskCompleted> heard, IReadOnlyDictionary<Guid, string> accepted)
    {
        var byTask = heard.GroupBy(completed => completed.TaskId).ToList();
        Assert.Equal(accepted.Keys.Order(), byTask.Select(group => group.Key).Order());
        Assert.All(byTask, group =>
        {
            Assert.Contains(MarkerOf(accepted[group.Key]), group.First().Output, StringComparison.Ordinal);
            Assert.Single(
                group.Select(completed => (completed.Output, completed.Model, completed.Attempts, completed.CompletedAt)).Distinct());
        });
        Moments.Write($"events: {heard.Count} for {byTask.Count} tasks");
    }

    public static async Task TheBooksBalance(NpgsqlDataSource database)
    {
        var wrong = await Rows(
            database,
            """
            select b.id || ': requests reserved ' || reserved_requests || ', settled ' || settled_requests || ', released ' || released_requests || ', attempts ' || a.calls
                || '; tokens reserved ' || b.reserved_tokens || ', settled ' || settled_tokens || ', released ' || released_tokens || ', by attempts ' || a.tokens || '; waiting ' || waiting
            from buckets b, lateral (select count(*) calls, coalesce(sum(reserved_tokens), 0) tokens from attempts where bucket = b.id) a
            where reserved_requests <> settled_requests + released_requests or b.reserved_tokens <> settled_tokens + released_tokens
                or reserved_requests <> a.calls or b.reserved_tokens <> a.tokens or waiting <> 0
            union all
            select b.id || ': reserved ' || b.reserved_usd || ', settled ' || settled_usd || ', released ' || released_usd || ', spent ' || spent_usd || ', waiting ' || waiting
            from budgets b where b.reserved_usd <> settled_usd + released_usd or waiting <> 0
            union all
            select 'all budgets: reserved ' || b.reserved || ', spent ' || b.spent || '; attempts: reserved ' || a.reserved || ', cost ' || a.cost
            from (select sum(reserved_usd) reserved, sum(spent_usd) spent from budgets) b, (select sum(reserved_usd) reserved, sum(cost_usd) cost from attempts) a
            where b.reserved <> a.reserved or b.spent <> a.cost
            """,
            row => row.GetString(0)
        );
        Assert.Empty(wrong);
    }

    public static async Task NothingIsLeft(NpgsqlDataSource database, bool exceptAnnouncements = false)
    {
        var left = await Rows(
            database,
            """
            select 'open attempt ' || number || ' of ' || task_id from attempts where ended_at is null
            union all select 'announcement ' || type || ' ' || id from announcements
            union all select 'reservation of ' || id from tasks where reserved_tokens <> 0 or reserved_usd is not null or bucket is not null or line is not null or granted_at is not null
            """,
            row => row.GetString(0)
        );
        Assert.DoesNotContain(left, thing => !exceptAnnouncements || !thing.StartsWith("announcement", StringComparison.Ordinal));
    }

    private static async Task NoCallWasWasted(
        Installation installation, IReadOnlyDictionary<Guid, string> accepted, IReadOnlyList<Moments.Fault> killed)
    {
        var calls = await installation.Simulator.Log();
        var charged = calls.Where(call => call.Status != 429).ToList();
        // How often each was in the hands of one that was killed.
        var open = killed.SelectMany(fault => charged.Where(call => WasOpen(call, fault)).Select(call => call.PromptHash!).Distinct())
            .CountBy(hash => hash).ToDictionary(StringComparer.Ordinal);
        var outcomes = await Rows(installation.Database,
            "select coalesce(outcome, 'open') || ' ' || count(*) from attempts group by outcome order by 1", row => row.GetString(0));
        Moments.Write(
            $"calls: {calls.Count}, {calls.Count - charged.Count} of them refused for a limit; "
                + $"{open.Count} were open or just answered at a kill; attempts: {string.Join(", ", outcomes)}; "
                + $"waited: {(await Rows(installation.Database, "select count(distinct subject_id) from history where entry = 'Deferred'", row => row.GetInt64(0)))[0]}"
        );

        // The open ones at the provider are both workers'; one has no more than it is allowed.
        Assert.InRange(charged.Count, accepted.Count,
            accepted.Count + Math.Min(open.Values.Sum(), killed.Count * Installation.CallsAtOnce));
        var asked = accepted.Values.ToDictionary(HashOf, prompt => prompt, StringComparer.Ordinal);
        Assert.All(charged.GroupBy(call => call.PromptHash!), group =>
        {
            Assert.True(asked.ContainsKey(group.Key), $"Somebody asked what no task asks: {group.Key}.");
            Assert.True(
                group.Count() <= 1 + open.GetValueOrDefault(group.Key),
                $"'{asked[group.Key]}' was asked {group.Count()} times: "
                    + $"{string.Join("; ", group.Select(call => $"{call.ArrivedAt:HH:mm:ss.fff}-{call.EndedAt:HH:mm:ss.fff} {call.Status} {call.Outcome} delivered {call.Delivered}"))}; "
                    + (killed.Count > 0
                        ? $"a worker was killed at {string.Join(", ", killed.Select(fault => $"{fault.Ended:HH:mm:ss.fff}"))}"
                        : "no worker was killed")
            );
        });
    }

    // A bell that comes late changes nothing, but it has to be answered first: the queues are empty in the end, not at once.
    private static Task NoMessageWasGivenUp(Installation installation) =>
        Eventually.Found("every queue is empty", TimeSpan.FromSeconds(20), async () =>
        {
            var left = (await installation.MessagesByQueue()).Where(queue => queue.Value > 0)
                .Select(queue => $"{queue.Value} in {queue.Key}").ToList();
            return left.Count == 0 ? left : throw new InvalidOperationException(string.Join(", ", left));
        });

    /// <summary>At the provider, or in the hand of a worker that could tell nobody any more.</summary>
    public static bool WasOpen(SimulatedCall call, Moments.Fault killed) =>
        call.ArrivedAt <= killed.Ended && (call.EndedAt is null || call.EndedAt >= killed.Began - CommitTakes);

    private static string MarkerOf(string prompt) => $"[answer to #{HashOf(prompt)}]";

    private static string HashOf(string prompt) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(prompt)), 0, 6);

    private static async Task<List<T>> Rows<T>(NpgsqlDataSource database, string sql, Func<NpgsqlDataReader, T> read)
    {
        await using var command = database.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var rows = new List<T>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
        {
            rows.Add(read(reader));
        }

        return rows;
    }
}
