using LlmQueue.Contracts;

namespace LlmQueue.Tests.Admission;

/// <summary>Who is next when there is not room for all.</summary>
public sealed class FairnessTests
{
    private const string Limits = """{ "rpm": 6000, "tpm": 60000 }""";

    [Fact]
    public async Task One_tenants_waiting_pages_do_not_hold_up_anothers_question()
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        await admission.Park("pages", 3000);
        admission.Clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(10, (await admission.Round()).Count);

        var question = Assert.Single(await admission.Park("asker", 1));
        admission.Clock.Advance(TimeSpan.FromSeconds(0.31));

        Assert.Equal(question, Assert.Single(await admission.Round()));
    }

    [Theory]
    [InlineData(1, 0.50)]
    [InlineData(2, 2.0 / 3)]
    public async Task Tenants_share_the_tokens_by_their_weights_whatever_the_size_of_their_tasks(double weight, double share)
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        await admission.Run($"insert into tenants (name, weight, virtual_finish) values ('large', {weight}, 0), ('small', 1, 0)");
        var large = (await admission.Park("large", 240, tokens: 1200)).ToHashSet();
        await admission.Park("small", 600, tokens: 500);

        long tokens = 0, tokensOfLarge = 0;
        // Five minutes of a bucket that gives 1,000 tokens a second.
        for (var second = 0; second < 300; second += 2)
        {
            admission.Clock.Advance(TimeSpan.FromSeconds(2));
            foreach (var id in await admission.Round())
            {
                tokens += large.Contains(id) ? 1200 : 500;
                tokensOfLarge += large.Contains(id) ? 1200 : 0;
            }
        }

        Assert.InRange(tokens, 290_000, 300_000);
        Assert.InRange((double)tokensOfLarge / tokens, share - 0.03, share + 0.03);
    }

    [Fact]
    public async Task A_batch_moves_although_hurried_work_never_ends()
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        var batch = (await admission.Park("batch", 20, priority: Priorities.Batch)).ToHashSet();
        await admission.Park("hurried", 200, priority: Priorities.Interactive);

        Assert.Equal(0, await Granted(rounds: 30));

        // From here on they are aged: one grant in eight is theirs, whatever stands before them.
        Assert.Equal(5, await Granted(rounds: 40));

        async Task<int> Granted(int rounds)
        {
            var granted = 0;
            for (var i = 0; i < rounds; i++)
            {
                admission.Clock.Advance(TimeSpan.FromSeconds(0.3));
                granted += (await admission.Round()).Count(batch.Contains);
            }

            // The wait that makes them aged brings no room with it.
            admission.Clock.Advance(TimeSpan.FromSeconds(30));
            await admission.Drain();
            await admission.Run($"update buckets set as_of = '{admission.Clock.GetUtcNow():O}'");
            return granted;
        }
    }

    [Fact]
    public async Task What_a_learned_limit_lets_pass_no_more_is_decided_again_at_once()
    {
        await using var admission = await AdmissionUnderTest.Start(Limits);
        await admission.Drain();
        var large = Assert.Single(await admission.Park("a", 1, tokens: 20_000));
        await admission.Park("a", 1, tokens: 300);
        await admission.Run("update buckets set tokens_per_minute = 10000");
        admission.Clock.Advance(TimeSpan.FromSeconds(5));

        var result = await admission.Pace();

        Assert.Equal(large, Assert.Single(result.Commands.OfType<BudgetReleased>()).TaskId);
        Assert.Single(result.Commands.OfType<CapacityGranted>());
    }
}
