using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.Storage.Rankings;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Ranking;

namespace LlmQueue.Tests.Ranking;

/// <summary>Which models of a pool a page prefers, and that preferring costs no throughput.</summary>
public sealed class PoolRuleTests
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    [Theory]
    [InlineData(0, 0.5, 1, null)]
    [InlineData(0.005, 0.5, 1, null)]
    [InlineData(0.10, 0.5, 0.11, "gives way: 9 % of its pages met a fault")]
    [InlineData(1, 0.5, 0.05, "gives way: 94 % of its pages met a fault")]
    [InlineData(0, 8, 0.26, "gives way: 7.6 s for a page")]
    public void Who_is_above_one_fault_in_a_hundred_or_two_seconds_gives_way_and_is_not_banned(
        double faults, double seconds, double weight, string? why)
    {
        var found = PoolRule.Weights([Model("p:a", Runs("p:a", 50, faults, seconds)), Model("p:b", Runs("p:b", 50, 0, 0.5))], "medium");

        Assert.Equal((weight, why), (Math.Round(found["p:a"].Weight, 2),
            found["p:a"].Why?.Replace("%", " %", StringComparison.Ordinal).Replace("  ", " ", StringComparison.Ordinal)));
        Assert.Equal(new PoolWeight(1, null), found["p:b"]);
    }

    [Fact]
    public void What_gave_way_is_forgiven_as_its_runs_fade_so_that_it_is_asked_again()
    {
        var faulty = Runs("p:a", 20, 0.5, 6);
        // Three hundred pages later, none of which it got.
        var found = PoolRule.Weights([Model("p:a", faulty.Faded(RankingRule.FadedAfter(300))), Model("p:b", Runs("p:b", 50, 0, 0.5))],
            "medium");

        Assert.True(PoolRule.Weights([Model("p:a", faulty)], "medium")["p:a"].Weight < 0.06);
        Assert.True(found["p:a"].Weight > 0.9, $"{found["p:a"]}");
    }

    [Fact]
    public void Simple_pages_prefer_the_cheap_and_roomy_dense_ones_the_strong_and_the_rest_nobody()
    {
        IReadOnlyList<PoolModel> pool =
            [Model("p:small", usd: 0.06m, tpm: 30_000), Model("p:middle", usd: 0.3m, tpm: 6000), Model("p:large", usd: 0.9m, tpm: 6000)];

        Assert.Equal(["p:small", "p:middle", "p:large"],
            pool.OrderByDescending(m => PoolRule.Weights(pool, "low")[m.Id].Weight).Select(m => m.Id));
        Assert.Equal(["p:large", "p:middle", "p:small"],
            pool.OrderByDescending(m => PoolRule.Weights(pool, "high")[m.Id].Weight).Select(m => m.Id));
        Assert.All(PoolRule.Weights(pool, "medium").Values, w => Assert.Equal(1, w.Weight));
        Assert.Contains("simple page", PoolRule.Weights(pool, "low")["p:small"].Why, StringComparison.Ordinal);
        Assert.Contains("dense page", PoolRule.Weights(pool, "high")["p:large"].Why, StringComparison.Ordinal);
        // Of one price and one size, nobody is preferred.
        Assert.All(PoolRule.Weights([Model("p:a"), Model("p:b")], "high").Values, w => Assert.Equal(1, w.Weight));
    }

    [Theory]
    [InlineData("low")]
    [InlineData("medium")]
    [InlineData("high")]
    public void A_backlog_of_one_kind_of_page_uses_every_models_whole_limit(string complexity)
    {
        var models = new[] { ("small", 10, 0.05m), ("middle", 20, 0.3m), ("large", 15, 0.9m) };
        var catalogue = ModelCatalogue.Parse(
            TestCatalogue.Of([.. models.Select(m => new TestModel(m.Item1) { Rpm = m.Item2, Price = m.Item3 })]), "test.json");
        // The large one even gives way for its faults.
        var runs = new Dictionary<string, ModelRuns> { ["groq:large"] = Runs("groq:large", 50, 0.2, 1) };
        var weights = PoolRule.Weights(
            [.. catalogue.Models.Select(m => new PoolModel(m.Id.ToString(), m.Price.CostUsd(500_000, 500_000), null,
                runs.GetValueOrDefault(m.Id.ToString(), ModelRuns.None(m.Id.ToString()))))],
            complexity);

        var (weighted, unweighted) = (Drain(c => weights[c.Model.Id.ToString()].Weight), Drain(null));
        Assert.Equal(unweighted, weighted);
        Assert.True(weighted.Values.Sum() >= 0.85 * models.Sum(m => m.Item2),
            $"{weighted.Values.Sum()} of {models.Sum(m => m.Item2)} were used");
        Assert.Equal(3, weighted.Count);

        SortedDictionary<string, int> Drain(Func<Candidate, double>? weight)
        {
            var candidates = catalogue.Models.Select(m => new Candidate(m.Id.Name, m, NewBucket(m), new ResourceDemand(1, 100), 0.001m))
                .ToList();
            var served = new SortedDictionary<string, int>(StringComparer.Ordinal);
            while (AdmissionRule.Decide(AdmissionRule.Emptiest(candidates, weight, Noon), spread: true, Noon)
                is AdmissionDecision.Open open)
            {
                served[open.InOrder[0].BucketId] = served.GetValueOrDefault(open.InOrder[0].BucketId) + 1;
                BucketRule.Reserve(open.InOrder[0].Bucket, open.InOrder[0].Demand);
            }

            return served;
        }
    }

    [Fact]
    public void Whoever_is_preferred_goes_first_and_then_they_take_turns()
    {
        var catalogue = ModelCatalogue.Parse(
            TestCatalogue.Of(new TestModel("cheap") { Rpm = 10, Price = 0.1m }, new TestModel("dear") { Rpm = 10, Price = 1m }),
            "test.json");
        var candidates = catalogue.Models.Select(m => new Candidate(m.Id.Name, m, NewBucket(m), new ResourceDemand(1, 100), 0.001m))
            .ToList();
        var weights = PoolRule.Weights(
            [.. catalogue.Models.Select(
                m => new PoolModel(m.Id.ToString(), m.Price.CostUsd(500_000, 500_000), null, ModelRuns.None(m.Id.ToString())))],
            "low");
        var served = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            var taken = AdmissionRule.Emptiest(candidates, c => weights[c.Model.Id.ToString()].Weight, Noon)[0];
            BucketRule.Reserve(taken.Bucket, taken.Demand);
            served.Add(taken.BucketId);
        }

        Assert.Equal(Enumerable.Repeat("cheap", 5), served.Take(5));
        Assert.Equal(2, served.Skip(5).Distinct().Count());
    }

    [Theory]
    [InlineData("low", "A heat pump moves heat from the ground into a house. It needs electricity.")]
    [InlineData("high", "| metric | unit |\n|---|---|\n| system.cpu.time | s |\n| system.cpu.load | 1 |")]
    [InlineData("high", "Revenue 2024: 1,204,331; 2025: 1,330,921; margin 12.4 %, 2026: 1,500,000.")]
    [InlineData("high", "```csharp\nvar x = 1;\nreturn x;\n```")]
    [InlineData("low", "")]
    public void Tables_programs_and_figures_make_a_page_dense(string complexity, string text) =>
        Assert.Equal(complexity, PageDensityRule.Decide(text));

    [Fact]
    public void Length_makes_a_page_dense()
    {
        var prose = string.Join(' ', Enumerable.Repeat("A heat pump moves heat from the ground into a house.", 1000));
        Assert.Equal(["low", "medium", "high"], new[] { 1000, 8000, 20_000 }.Select(length => PageDensityRule.Decide(prose[..length])));
    }

    private static PoolModel Model(string id, ModelRuns? runs = null, decimal usd = 1, double? tpm = 6000) =>
        new(id, usd, tpm, runs ?? ModelRuns.None(id));

    private static ModelRuns Runs(string model, int runs, double faults, double seconds) =>
        new(model, runs, runs, runs * (1 - faults), 0, runs * (1 - faults) * seconds, 0, 0);

    private static TokenBucket NewBucket(ModelEntry model)
    {
        var settings = QueueSettings.Read(new Dictionary<string, string?>(StringComparer.Ordinal) { ["GROQ_API_KEY"] = "sk-key-1" },
            "/nowhere");
        var bucket = new BucketDirectory(
            ModelCatalogue.Parse(TestCatalogue.Of(new TestModel(model.Id.Name) { Rpm = model.Limits.RequestsPerMinute }), "test.json"),
            settings.Providers).All.Single().NewRow(Noon);
        // Proven: what a burst may take on trust is tested elsewhere.
        bucket.ProvenRequests = model.Limits.RequestsPerMinute ?? 0;
        bucket.RequestsKnownUntil = Noon.AddDays(1);
        return bucket;
    }
}
