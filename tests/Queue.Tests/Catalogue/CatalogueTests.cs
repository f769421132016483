using LlmQueue.Catalogue;
using Xunit;

namespace LlmQueue.Tests.Catalogue;

public sealed class CatalogueTests
{
    private const string Small = """
        { "models": [
            { "id": "groq:old", "context": 1000, "maxOutput": 100, "retires": "2026-01-01", "replacedBy": "groq:mid" },
            { "id": "groq:mid", "context": 1000, "maxOutput": 100, "retires": "2026-06-01", "replacedBy": "groq:new" },
            { "id": "groq:new", "context": 2000, "maxOutput": 200, "limits": { "rpm": 30, "tpd": 5000000000 }, "price": { "inputUsdPerMillion": 0.5 },
              "strengths": ["code"], "vision": true, "firstChoiceTimeoutSeconds": 20 }, // a comment
            { "id": "groq:gone", "context": 1000, "maxOutput": 100, "retires": "2026-01-01" },
          ],
          "routes": [ { "task": "any", "complexity": "any", "models": ["groq:new"] } ],
          "pools": { "summary": ["groq:old", "groq:new"] } }
        """;

    public static string Root { get; } = FindRoot();

    [Fact]
    public void The_catalogue_of_the_project_fits()
    {
        var catalogue = ModelCatalogue.Load(Path.Combine(Root, "catalogue.json"));

        Assert.Equal(5, catalogue.SummaryPool.Count);
        Assert.NotEmpty(catalogue.SynthesisModels);
        Assert.NotEmpty(catalogue.Classifier);
        var free = catalogue.Find(ModelId.Parse("groq:llama-3.1-8b-instant"))!;
        Assert.Equal(new ModelLimits(30, 14400, 6000, 500000), free.Limits);
        Assert.Equal(new ModelPrice(0.05m, 0.08m), free.Price);
    }

    [Fact]
    public void Every_retired_model_of_the_project_has_someone_in_its_place()
    {
        var catalogue = ModelCatalogue.Load(Path.Combine(Root, "catalogue.json"));

        Assert.All(catalogue.Models, model => Assert.NotNull(catalogue.InService(model.Id, new DateOnly(2026, 11, 21))));
    }

    [Fact]
    public void Reads_what_the_file_says()
    {
        var model = ModelCatalogue.Parse(Small, "small.json").Find(new ModelId("groq", "new"))!;

        Assert.Equal((2000, 200), (model.Context, model.MaxOutput));
        Assert.Equal(new ModelLimits(30, null, null, 5_000_000_000), model.Limits);
        Assert.Equal(new ModelPrice(0.5m, null), model.Price);
        Assert.Equal(["code"], model.Strengths);
        Assert.True(model.Vision);
        Assert.Equal(TimeSpan.FromSeconds(20), model.FirstChoiceTimeout);
    }

    [Fact]
    public void A_route_without_a_name_is_called_by_what_it_fits() =>
        Assert.Equal("any/any", Assert.Single(ModelCatalogue.Parse(Small, "small.json").Routes).Name);

    [Theory]
    [InlineData("2025-12-31", "groq:old", "groq:old")]
    [InlineData("2026-01-01", "groq:old", "groq:mid")]
    [InlineData("2026-07-01", "groq:old", "groq:new")]
    [InlineData("2026-07-01", "groq:gone", null)]
    [InlineData("2026-07-01", "groq:unheard-of", null)]
    public void A_retired_model_is_replaced_by_the_successor_that_still_serves(string today, string asked, string? serves) =>
        Assert.Equal(serves,
            ModelCatalogue.Parse(Small, "small.json").InService(ModelId.Parse(asked), DateOnly.Parse(today))?.Id.ToString());

    [Fact]
    public void A_pool_names_nobody_twice_when_its_models_have_the_same_successor()
    {
        var catalogue = ModelCatalogue.Parse(Small, "small.json");

        Assert.Equal(["groq:new"], catalogue.InService(catalogue.SummaryPool, new DateOnly(2026, 7, 1)).Select(id => id.ToString()));
    }

    [Theory]
    [InlineData("groq:qwen/qwen3-32b", "groq", "qwen/qwen3-32b")]
    [InlineData("openrouter:openai/gpt-oss-20b:free", "openrouter", "openai/gpt-oss-20b:free")]
    public void A_model_is_its_provider_and_the_name_on_the_wire(string text, string provider, string name)
    {
        Assert.Equal(new ModelId(provider, name), ModelId.Parse(text));
        Assert.Equal(text, ModelId.Parse(text).ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("gpt")]
    [InlineData(":gpt")]
    [InlineData("groq:")]
    [InlineData("Groq:gpt")]
    [InlineData("groq: gpt")]
    [InlineData("openai/gpt:free")]
    public void What_is_no_model_is_not_taken_for_one(string? text) => Assert.False(ModelId.TryParse(text, out _));

    [Fact]
    public void An_unknown_price_makes_the_cost_unknown_and_never_free()
    {
        Assert.Equal(0.13m, new ModelPrice(0.05m, 0.08m).CostUsd(1_000_000, 1_000_000));
        Assert.Equal(0m, new ModelPrice(0, 0).CostUsd(1_000_000, 1_000_000));
        Assert.Null(new ModelPrice(0.05m, null).CostUsd(1_000_000, 0));
        Assert.Null(new ModelPrice(null, 0.08m).CostUsd(0, 1));
    }

    [Fact]
    public void A_file_that_is_not_there_is_named_with_what_to_do()
    {
        var fault = Assert.Throws<CatalogueException>(() => ModelCatalogue.Load("/nowhere/catalogue.json"));

        Assert.Contains("/nowhere/catalogue.json", fault.Message);
        Assert.Contains("CATALOGUE_PATH", fault.Message);
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "catalogue.json")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} has a catalogue.json.");
    }
}
