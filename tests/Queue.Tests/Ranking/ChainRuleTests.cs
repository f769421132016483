using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Storage.Rankings;
using LlmQueue.Worker.Ranking;

namespace LlmQueue.Tests.Ranking;

/// <summary>What is learned from runs, and what is done with it: through the rule alone, with seeded chance.</summary>
public sealed class ChainRuleTests
{
    private static readonly IReadOnlyList<string> Chain = ["groq:weak", "groq:strong"];

    [Fact]
    public void Sends_four_in_five_to_the_better_samples_the_other_and_finds_out_when_they_swap()
    {
        var seeds = Enumerable.Range(1, 300).Select(seed => Play(seed)).ToList();

        // Of the last hundred of two hundred tasks, and of the last hundred of the two hundred after the swap: in the usual run and in the
        // unlucky one of twenty.
        var (before, after) = (Sorted(seeds.Select(s => s.Before)), Sorted(seeds.Select(s => s.After)));
        TestContext.Current.TestOutputHelper?.WriteLine("share of the better, mean and 5th percentile of 300 seeds: "
            + $"{before.Average():0.00}, {before[15]:0.00}; after the swap {after.Average():0.00}, {after[15]:0.00}; "
            + $"other sampled, 5th percentile {Sorted(seeds.Select(s => s.Other))[15]:0.00}");
        Assert.True(before.Average() >= 0.88 && before[15] >= 0.80, $"before: {before.Average():0.00}, {before[15]:0.00}");
        Assert.True(after.Average() >= 0.85 && after[15] >= 0.75, $"after: {after.Average():0.00}, {after[15]:0.00}");
        // One turn in twenty and the draws between them: in a hundred tasks it is asked, but for a chance of less than one in a hundred.
        Assert.True(seeds.Count(seed => seed.Other > 0) >= 297, $"the other was asked in {seeds.Count(seed => seed.Other > 0)} of 300");
        // "Finds out" is: at least four of five of some thirty in a row go to the one that is now better.
        var found = Sorted(seeds.Select(s => (double)s.Found));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"tasks until the swap was found: median {found[150]:0}, 95th percentile {found[284]:0}, longest {found[299]:0}");
        Assert.True(found[299] <= 200, $"one took {found[299]} tasks");
    }

    [Fact]
    public void Is_worth_nearly_what_always_using_the_best_single_model_would_have_been()
    {
        var book = new RunRecorder();
        Serve(book, new Random(7), 400, [0.70, 0.95]);
        var compared = RankingRule.Compare(book.All())!;

        Assert.Equal("groq:strong", compared.BestModel);
        Assert.InRange(compared.Value, compared.BestValue - 0.03, compared.BestValue);
    }

    [Fact]
    public void Learns_nothing_before_ten_runs_and_judges_no_model_before_five_of_its_own()
    {
        Assert.Null(ChainRule.Decide(Chain, [Runs("groq:weak", 5, 0), Runs("groq:strong", 4, 1)], samples: false, Never).Why);

        var unjudged = ChainRule.Decide(Chain, [Runs("groq:weak", 20, 0.1), Runs("groq:strong", 4, 1)], samples: false, Never);
        Assert.Equal(Chain, unjudged.Models);
        // It is asked until it can be judged.
        Assert.Contains("4 of the 5 runs",
            ChainRule.Decide(Chain, [Runs("groq:weak", 20, 0.1), Runs("groq:strong", 4, 1)], samples: true, () => 0).Why,
            StringComparison.Ordinal);

        var judged = ChainRule.Decide(Chain, [Runs("groq:weak", 20, 0.1), Runs("groq:strong", 5, 1)], samples: false, Never);
        Assert.Equal(["groq:strong", "groq:weak"], judged.Models);
        Assert.Equal("ranking: 0.70 vs 0.21 over 25 runs", judged.Why);
    }

    [Fact]
    public void What_has_much_at_stake_is_no_experiment()
    {
        var random = new Random(3);
        var known = new[] { Runs("groq:weak", 40, 0.9), Runs("groq:strong", 6, 1) };

        Assert.All(Enumerable.Range(0, 500),
            _ => Assert.Equal("groq:strong", ChainRule.Decide(Chain, known, samples: false, random.NextDouble).Models[0]));
        Assert.Contains(Enumerable.Range(0, 500),
            _ => ChainRule.Decide(Chain, known, samples: true, random.NextDouble).Models[0] == "groq:weak");
    }

    [Fact]
    public void Only_ever_changes_the_order() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(Gen.Choose(1, 6).ToArbitrary(),
            Gen.Choose(0, 30).ArrayOf(8).ToArbitrary(), Gen.Choose(0, 100).ToArbitrary(), (models, runs, seed) =>
        {
            IReadOnlyList<string> chain = [.. Enumerable.Range(0, models).Select(i => $"p:{i}")];
            // Two of those that are known are not in the chain: what is learned of them leads nowhere.
            var known = runs.Select((n, i) => Runs($"p:{i}", n, n % 7 / 7.0)).ToList();
            var ordered = ChainRule.Decide(chain, known, samples: seed % 2 == 0, new Random(seed).NextDouble);
            return ordered.Models.Order(StringComparer.Ordinal).SequenceEqual(chain)
                && (ordered.Why is not null || ordered.Models.SequenceEqual(chain));
        }));

    [Fact]
    public void Success_weighs_four_speed_three_and_quality_three_of_ten()
    {
        var all = new[] { new ModelRuns("p:a", 10, 10, 10, 10, 0, 10, 10), new ModelRuns("p:b", 10, 10, 0, 0, 0, 0, 10) };
        // The quality is held back by two ratings' worth of what is usual: (10 + 2 × 0.5) / 12.
        Assert.Equal(0.4 + 0.3 + (0.3 * 11 / 12), RankingRule.Score(all[0], all)!.Value, 9);
        Assert.Equal(0.3 * 1 / 12, RankingRule.Score(all[1], all)!.Value, 9);
        Assert.Equal([1, 0.5, 0.25], new[] { 0.0, 2, 6 }.Select(RankingRule.SpeedOf));
    }

    [Fact]
    public void Ratings_alone_can_turn_the_order()
    {
        var known = new[]
        {
            Runs("groq:weak", 20, 1) with { Quality = 2, QualityWeight = 10 },
            Runs("groq:strong", 20, 1) with { Quality = 9, QualityWeight = 10 },
        };
        Assert.Equal("groq:strong", ChainRule.Decide(Chain, known, samples: false, Never).Models[0]);
    }

    [Fact]
    public void What_is_much_dearer_than_the_first_choice_is_not_asked_for_curiosity()
    {
        var random = new Random(5);
        var known = new[] { Runs("groq:weak", 40, 0.9), Runs("groq:strong", 2, 1) };

        string First(decimal? price) => ChainRule.Decide(Chain, known, samples: true, random.NextDouble, [1m, price]).Models[0];
        Assert.All(Enumerable.Range(0, 1000), _ => Assert.Equal("groq:weak", First(2.5m)));
        Assert.Contains(Enumerable.Range(0, 1000), _ => First(2m) == "groq:strong");
        // What nobody knows the price of is as dear as the dearest: here it is the only other, and no dearer than what is known.
        Assert.Contains(Enumerable.Range(0, 1000), _ => First(null) == "groq:strong");
    }

    [Theory]
    [InlineData(0.90, 0.95, 4, "groq:weak")]
    [InlineData(0.90, 0.95, 1, "groq:strong")]
    [InlineData(0.70, 0.95, 4, "groq:strong")]
    [InlineData(0.50, 0.95, 1000, "groq:strong")]
    [InlineData(0.70, 0.95, 1000, "groq:weak")]
    public void A_dearer_model_has_to_be_better_by_as_much_as_it_is_dearer(double cheap, double dear, int times, string first)
    {
        var known = new[] { Runs("groq:weak", 40, cheap), Runs("groq:strong", 40, dear) };

        var ordered = ChainRule.Decide(Chain, known, samples: false, Never, [1m, times]);

        Assert.Equal(first, ordered.Models[0]);
        Assert.Equal(times > 1, ordered.Why!.EndsWith(", prices weighed", StringComparison.Ordinal));
    }

    private static double Never() => throw new InvalidOperationException("No chance was to be taken.");

    private static ModelRuns Runs(string model, int runs, double rate) =>
        new(model, runs, runs, runs * rate, runs * rate * 0.5, runs * rate * 2, 0, 0);

    private static (double Before, double Other, double After, int Found) Play(int seed)
    {
        var (book, random) = (new RunRecorder(), new Random(seed));
        var first = Serve(book, random, 200, [0.70, 0.95]);
        var second = Serve(book, random, 200, [0.95, 0.70]);
        var found = Enumerable.Range(30, 171).Where(n => second.Skip(n - 30).Take(30).Count(m => m == 0) >= 24)
            .DefaultIfEmpty(int.MaxValue).First();
        return (first.TakeLast(100).Count(m => m == 1) / 100.0, first.TakeLast(100).Count(m => m == 0) / 100.0,
            second.TakeLast(100).Count(m => m == 0) / 100.0, found);
    }

    /// <summary>Which model each task was sent to first.</summary>
    private static List<int> Serve(RunRecorder book, Random random, int tasks, double[] success)
    {
        var sent = new List<int>();
        for (var i = 0; i < tasks; i++)
        {
            var model = ChainRule.Decide(Chain, book.Known(Chain), samples: true, random.NextDouble).Models[0];
            var (index, succeeded) = (Chain.ToList().IndexOf(model), random.NextDouble() < success[Chain.ToList().IndexOf(model)]);
            book.Add(model, succeeded ? 1 : 0, succeeded ? 0.8 : 0, succeeded ? 0.5 : 0);
            sent.Add(index);
        }

        return sent;
    }

    private static List<double> Sorted(IEnumerable<double> values) => [.. values.Order()];
}
