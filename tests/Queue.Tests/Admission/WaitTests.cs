using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Admission;

/// <summary>Whoever waits is told when it will move, and it is true.</summary>
public sealed class WaitTests
{
    private const string Limits = """{ "rpm": 6000, "tpm": 60000 }""";
    private static readonly DateTime Now = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public async Task A_wait_is_told_by_what_goes_before_it()
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        var start = admission.Clock.GetUtcNow().UtcDateTime;
        var tasks = await admission.Park("one", 200);
        var expected = await Expected(admission, tasks);

        var wrong = new List<double>();
        for (var second = 1; second <= 65 && wrong.Count < tasks.Count; second++)
        {
            admission.Clock.Advance(TimeSpan.FromSeconds(1));
            foreach (var id in await admission.Round())
                wrong.Add(Math.Abs((admission.Clock.GetUtcNow().UtcDateTime - expected[id]).TotalSeconds) / Math.Max(5, second));
        }

        Assert.Equal(tasks.Count, wrong.Count);
        Assert.True(wrong.Max() <= 0.2, $"the worst of {wrong.Count} was wrong by {wrong.Max():P0}");
        // The last of 200 × 300 tokens at 1,000 a second.
        Assert.InRange((expected.Values.Max() - start).TotalSeconds, 58, 62);
    }

    [Fact]
    public async Task Neither_a_hurried_task_nor_another_tenants_question_is_told_to_wait_for_the_batch()
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        var start = admission.Clock.GetUtcNow().UtcDateTime;
        await admission.Park("pages", 1000);

        var question = (await Expected(admission, await admission.Park("asker", 1))).Values.Single();
        var hurried = (await Expected(admission, await admission.Park("pages", 1, priority: Priorities.Interactive))).Values.Single();
        var page = (await Expected(admission, await admission.Park("pages", 1))).Values.Single();

        Assert.InRange((question - start).TotalSeconds, 0, 3);
        Assert.InRange((hurried - start).TotalSeconds, 0, 1);
        Assert.InRange((page - start).TotalSeconds, 290, 310);
    }

    [Fact]
    public async Task Who_asks_later_is_told_what_is_true_by_then()
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        var start = admission.Clock.GetUtcNow().UtcDateTime;
        await admission.Park("one", 100);
        var views = admission.Services.GetRequiredService<TaskViews>();
        // Two loops commit, so who was handed in last need not stand last.
        var last = (await views.List(new TaskFilter { Limit = 200 }, TestContext.Current.CancellationToken)).Items.MaxBy(
            item => item.ExpectedAt)!.Id;
        Assert.InRange(((await views.Read(last, TestContext.Current.CancellationToken))!.ExpectedAt!.Value - start).TotalSeconds, 28, 32);

        await admission.Run("update buckets set closed_until = as_of + interval '10 minutes', closed_reason = 'asked to wait'");

        Assert.InRange(((await views.Read(last, TestContext.Current.CancellationToken))!.ExpectedAt!.Value - start).TotalSeconds, 600, 601);
        var listed = await views.List(new TaskFilter { Limit = 200 }, TestContext.Current.CancellationToken);
        Assert.All(listed.Items, item => Assert.InRange((item.ExpectedAt!.Value - start).TotalSeconds, 600, 601));
    }

    [Fact]
    public void What_never_comes_to_its_turn_has_no_expected_time()
    {
        Assert.Null(WaitRule.MovesAt([], new Place(Priorities.Normal, 100, 0, 1), Now));
        Assert.Null(WaitRule.MovesAt([Bucket(1000, disabled: true)], new Place(Priorities.Normal, 100, 0, 1), Now));
        Assert.Null(WaitRule.MovesAt([Bucket(1000)], new Place(Priorities.Normal, 100_000, 0, 1), Now));
    }

    [Fact]
    public void More_before_it_is_never_sooner_and_a_further_bucket_never_later() => Prop.ForAll(
        ArbMap.Default.ArbFor<(PositiveInt Limit, NonNegativeInt Ahead, NonNegativeInt More)>(), x =>
        {
            var bucket = Bucket(1000 + x.Limit.Get);
            Backlog.Join(bucket, Priorities.Normal, x.Ahead.Get + x.More.Get);
            DateTime? At(double ahead, params TokenBucket[] buckets) =>
                WaitRule.MovesAt(buckets, new Place(Priorities.Normal, 100, ahead, 1), Now);
            var (few, many) = (At(x.Ahead.Get, bucket), At(x.Ahead.Get + x.More.Get, bucket));
            return few <= many && At(x.Ahead.Get, bucket, Bucket(1000)) <= few + TimeSpan.FromMilliseconds(2);
        }).QuickCheckThrowOnFailure();

    private static async Task<Dictionary<Guid, DateTime>> Expected(AdmissionUnderTest admission, IReadOnlyList<Guid> tasks)
    {
        var expected = new Dictionary<Guid, DateTime>();
        await using var command = admission.Database.CreateCommand("select id, expected_at from tasks where id = any($1)");
        command.Parameters.AddWithValue(tasks.ToArray());
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
            expected[reader.GetGuid(0)] = reader.GetDateTime(1);
        return expected;
    }

    private static TokenBucket Bucket(double tokensPerMinute, bool disabled = false) => new()
    {
        Id = "groq/one/small", TokensPerMinute = tokensPerMinute, AsOf = Now,
        DisabledReason = disabled ? DisabledReason.ModelGone("decommissioned") : null,
    };
}
