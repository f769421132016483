using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Chaos;

public sealed class PassFaultTests(ChaosServers servers) : IClassFixture<ChaosServers>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// The only worker is killed with one task in its critique, one in its revision and one in its verdict. Another goes on with each in
    /// that pass: nothing of the passes before is called again, each pays for one lost call, and each ends with its revision.
    /// </summary>
    [Fact]
    public async Task Goes_on_in_the_pass_in_which_the_worker_was_killed()
    {
        await using var installation = await Installation.Start(servers, workers: 1);
        var (simulator, passes) = (installation.Simulator, new[] { TaskPasses.Critique, TaskPasses.Revision, TaskPasses.Verdict });
        await simulator.Configure(new { latencyMs = new[] { 1, 5 } });
        await simulator.PostFault(new { hang = true }, times: 1, match: new { model = "critic", contains = Question(TaskPasses.Critique) });
        await simulator.PostFault(new { hang = true }, times: 1, match: new { model = "first", contains = Question(TaskPasses.Revision) },
            skip: 1);
        await simulator.PostFault(new { hang = true }, times: 1, match: new { model = "critic", contains = Question(TaskPasses.Verdict) },
            skip: 1);
        var ids = passes.ToDictionary(pass => pass, _ => Guid.CreateVersion7());
        foreach (var (pass, id) in ids)
        {
            await simulator.PostFault(new { say = """{"verdict": "revise", "issues": ["A gap."], "score": 0.4}""" }, times: 1,
                match: new { model = "critic", contains = Question(pass) });
            await simulator.PostFault(new { say = """{"verdict": "accept", "issues": [], "score": 0.9}""" }, times: 1,
                match: new { model = "critic", contains = Question(pass) });
            await installation.Producer.Publish(new LlmTask
            {
                Id = id, Prompt = Question(pass), Kind = "analysis", Complexity = "high", Model = "groq:first", MaxOutputTokens = 100,
                HighStakes = true,
            }, Cancel);
        }

        foreach (var (pass, id) in ids)
            await Eventually.True($"one is in its {pass}", Soon, async () => await Count(installation,
                "select count(*) from tasks t join attempts a on a.task_id = t.id and a.number = t.attempt and a.worker is not null and "
                    + $"a.ended_at is null where t.id = '{id}' and t.pass = '{pass}'") == 1);
        await Eventually.True("each of those calls is at the provider", Soon, async () => (await simulator.Statistics()).InFlight == 3);
        var moments = new Moments();
        await moments.Of(installation.Workers[0].Kill);
        await installation.StartWorker();
        await Eventually.True("each has ended", Soon,
            async () => await Count(installation, "select count(*) from tasks where state = 'Completed'") == 3);
        await moments.Report(installation);

        Assert.Equal(3, await Count(installation, "select count(*) from attempts where outcome = 'abandoned'"));
        Assert.Equal(15, await Count(installation, "select count(*) from attempts"));
        Assert.Equal(3, await Count(installation,
            "select count(*) from payloads a join payloads r on r.subject_id = a.subject_id and r.part = 'revision' and r.content "
                + "= a.content where a.part = 'answer'"));
        foreach (var (pass, id) in ids)
            Assert.Equal(1, await Count(installation,
                $"select count(*) from attempts where task_id = '{id}' and outcome = 'abandoned' and why like '{Why(pass)}%'"));
        Assert.Equal(0,
            await Count(installation, "select count(*) from buckets where reserved_tokens <> settled_tokens + released_tokens"));
    }

    private static string Question(string pass) => $"What would be lost in the {pass}?";

    private static string Why(string pass) =>
        pass switch { TaskPasses.Critique => "critique of the draft", TaskPasses.Revision => "revision", _ => "critique of the revision" };

    private static async Task<long> Count(Installation installation, string sql)
    {
        await using var command = installation.Database.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
