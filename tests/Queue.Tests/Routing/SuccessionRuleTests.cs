using LlmQueue.Catalogue;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Tests.Routing;

public sealed class SuccessionRuleTests
{
    private static readonly DateOnly Today = new(2026, 11, 21);

    private static readonly ModelCatalogue Table = ModelCatalogue.Parse("""
        { "models": [
            { "id": "groq:old", "context": 1000, "maxOutput": 500, "retires": "2026-11-21", "replacedBy": "groq:tired" },
            { "id": "groq:tired", "context": 1000, "maxOutput": 500, "retires": "2026-11-20", "replacedBy": "groq:new" },
            { "id": "groq:soon", "context": 1000, "maxOutput": 500, "retires": "2026-12-03", "replacedBy": "groq:new" },
            { "id": "groq:alone", "context": 1000, "maxOutput": 500, "retires": "2026-11-01" },
            { "id": "groq:lonely", "context": 1000, "maxOutput": 500, "retires": "2026-12-31" },
            { "id": "groq:unused", "context": 1000, "maxOutput": 500, "retires": "2026-12-01" },
            { "id": "groq:new", "context": 1000, "maxOutput": 500 } ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:old", "groq:soon", "groq:alone", "groq:lonely"] } ] }
        """, "test.json");

    [Theory]
    [InlineData("groq:old", "groq:new", "groq:old retired on 2026-11-21: groq:new takes its place")]
    [InlineData("groq:old groq:new", "groq:new", "groq:old retired on 2026-11-21: groq:new takes its place")]
    [InlineData("groq:alone groq:new", "groq:new", "groq:alone retired on 2026-11-01 without a successor")]
    [InlineData("groq:alone", "", "groq:alone retired on 2026-11-01 without a successor")]
    public void Who_has_retired_gives_way(string chain, string now, string why)
    {
        var succession = ModelReplacementRule.Of(Models(chain), Table, Today, _ => false);

        Assert.Equal(now, string.Join(' ', succession!.Chain));
        Assert.Equal(why, string.Join("; ", succession.Replaced));
    }

    [Fact]
    public void Who_is_gone_before_his_day_gives_way_as_well()
    {
        Assert.Null(ModelReplacementRule.Of(Models("groq:soon groq:new"), Table, Today, _ => false));
        var succession = ModelReplacementRule.Of(Models("groq:soon"), Table, Today, id => id.Name == "soon");

        Assert.Equal(["groq:soon is gone: groq:new takes its place"], succession!.Replaced);
    }

    [Fact]
    public void Who_is_gone_and_has_nobody_stays_so_that_what_became_of_him_is_told() =>
        Assert.Null(ModelReplacementRule.Of(Models("groq:new"), Table, Today, _ => true));

    [Fact]
    public void Warnings_name_the_days_that_are_left_and_who_comes_after_and_leave_out_what_nobody_uses()
    {
        var all = RetirementRule.Of(Table, Today);

        Assert.Equal(
            [
                "groq:alone retired on 2026-11-01 without a successor, but routes, pools or roles still name it; "
                    + "take it out of them, or name a 'replacedBy'.",
                "groq:soon retires in 12 days (2026-12-03); then groq:new takes its place.",
                "groq:lonely retires in 40 days (2026-12-31) and nobody is named to take its place: "
                    + "name a successor ('replacedBy') in the catalogue.",
            ],
            all.Where(r => r.IsWarning).Select(r => r.Sentence));
        Assert.Equal(["groq:tired", "groq:old"], all.Where(r => !r.IsWarning && r.Days <= 0).OrderBy(r => r.Days).Select(r => r.Model));
    }

    private static List<ModelId> Models(string chain) => [.. chain.Split(' ').Select(ModelId.Parse)];
}
