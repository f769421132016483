using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Summaries;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.PageSummaries;
using LlmQueue.Worker.PageSummaries.Pages;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Tests.PageSummaries;

public sealed class SummaryTreeTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    private static readonly Gen<int[]> Sizes =
        from count in Gen.Choose(1, 120)
        from sizes in Gen.ArrayOf(Gen.Frequency((4, Gen.Choose(20, 200)), (1, Gen.Choose(200, 4000))), count)
        select sizes;

    [Fact]
    public void Every_level_of_merging_has_fewer_texts_than_the_one_before_until_one_call_takes_them_all() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60),
            Prop.ForAll(Sizes.ToArbitrary(), Gen.Choose(3000, 12_000).ToArbitrary(), (sizes, limit) =>
        {
            var stages = Stages(limit);
            var summary = new SummaryRow { CorrelationId = Guid.NewGuid(), Stage = 2 };
            IReadOnlyList<string> texts = [.. sizes.Select(Text)];
            while (stages.Condense(summary, texts, Noon) is SummaryStep.Merge merge)
            {
                if (merge.Tasks.Count >= texts.Count || merge.Tasks.Any(t => t.Row.PromptTokens + t.Row.MaxOutputTokens > limit))
                    return false;
                // Merged texts are as long as a merge may answer: the hardest case.
                texts = [.. merge.Tasks.Select((_, i) => Text(SummaryPrompts.MergeOutputTokens, i))];
                summary.Stage++;
            }

            return true;
        }));

    [Fact]
    public void Every_text_has_its_place_in_exactly_one_merge() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Sizes.ToArbitrary(), sizes =>
        {
            IReadOnlyList<string> texts = [.. sizes.Select(Text)];
            var step = Stages(3000).Condense(new SummaryRow { Stage = 2 }, texts, Noon);
            var prompts = step.Tasks.Select(t => t.Messages[^1].Content).ToList();
            return Enumerable.Range(0, texts.Count).All(i => prompts.Count(p => p.Contains($"[text {i}]", StringComparison.Ordinal)) == 1);
        }));

    [Fact]
    public void What_fits_one_call_is_not_merged_first()
    {
        var step = Assert.IsType<SummaryStep.Synthesize>(
            Stages(12_000).Condense(new SummaryRow { Stage = 2 }, [Text(100, 0), Text(100, 1)], Noon));

        Assert.Contains("[text 1]", Assert.Single(step.Tasks).Messages[^1].Content, StringComparison.Ordinal);
    }

    [Fact]
    public void A_single_text_above_the_room_is_cut_and_not_merged_with_itself() =>
        Assert.IsType<SummaryStep.Synthesize>(Stages(3000).Condense(new SummaryRow { Stage = 2 }, [Text(9000, 0)], Noon));

    // "word " is somewhat above a token; what matters is that sizes differ widely.
    private static string Text(int tokens, int number) =>
        $"[text {number}] " + string.Join(' ', Enumerable.Range(0, tokens).Select(i => i % 9 == 8 ? "words.\n\nMore" : "word"));

    private static SummaryStages Stages(int tokensPerMinute)
    {
        var catalogue = ModelCatalogue.Parse(
            TestCatalogue.Of(new TestModel("first") { Tpm = tokensPerMinute }, new TestModel("second") { Tpm = tokensPerMinute }),
            "test.json");
        var settings = QueueSettings.Read(new Dictionary<string, string?>(StringComparer.Ordinal) { ["GROQ_API_KEY"] = "sk-key-1" },
            "/nowhere");
        var directory = new BucketDirectory(catalogue, settings.Providers);
        var views = new LimitViews();
        foreach (var bucket in directory.All)
            views.Show(bucket.NewRow(Noon));
        return new SummaryStages(
            new SummaryPools(new CurrentCatalogue(catalogue), settings, directory, new UsableProviders(settings.Providers), views),
            new SummaryReadings(contexts: null!));
    }
}
