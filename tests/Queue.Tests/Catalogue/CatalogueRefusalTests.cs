using LlmQueue.Catalogue;
using Xunit;

namespace LlmQueue.Tests.Catalogue;

/// <summary>Each way a catalogue can be wrong has a sentence of its own, with the line.</summary>
public sealed class CatalogueRefusalTests
{
    private const string Model = """{ "id": "groq:a", "context": 1000, "maxOutput": 100 }""";
    private const string Routes = """ "routes": [ { "task": "any", "complexity": "any", "models": ["groq:a"] } ] """;

    public static TheoryData<string, string> Wrong => new()
    {
        { "", "line 1: the file is empty" },
        { " \n\t", "line 1: the file is empty" },
        { "// only a comment\n", "line 2: this is not JSON" },
        { "{ \"models\": [\n  { \"id\": }\n] }", "line 2: this is not JSON" },
        { "{}\n{}", "line 2: this is not JSON" },
        { "[]", "line 1: found a list where the catalogue is expected" },
        { "{}", "line 1: the catalogue has no 'models'" },
        { "{ \"models\": [],\n" + Routes + "}", "line 1: 'models' is empty" },
        { "{ \"models\": {},\n" + Routes + "}", "line 1: 'models' is an object; expected a list" },
        { "{ \"models\": [ 7 ],\n" + Routes + "}", "line 1: found 7 where a model is expected" },
        {
            Models("""{ "id": "groq:a", "contxt": 1000, "maxOutput": 100 }"""),
            "line 2: 'contxt' is not a property of a model; did you mean 'context'?"
        },
        {
            Models("""{ "id": "groq:a", "colour": "red", "context": 1000, "maxOutput": 100 }"""),
            "line 2: 'colour' is not a property of a model; it may have 'id'"
        },
        { Models("""{ "id": "groq:a", "maxOutput": 100 }"""), "line 2: a model has no 'context'" },
        { Models("""{ "id": "gpt", "context": 1000, "maxOutput": 100 }"""), "line 2: found 'gpt'; expected a model as 'provider:model'" },
        { Models("""{ "id": "groq:a", "id": "groq:a", "context": 1000, "maxOutput": 100 }"""), "line 2: 'id' stands twice in a model" },
        { Models(Model + ",\n" + Model), "line 3: the model 'groq:a' is listed already, on line 2" },
        { Models("""{ "id": "groq:a", "context": -5, "maxOutput": 100 }"""), "line 2: 'context' is -5; expected a whole number from 1" },
        { Models("""{ "id": "groq:a", "context": 12.5, "maxOutput": 100 }"""), "line 2: 'context' is 12.5; expected a whole number" },
        { Models("""{ "id": "groq:a", "context": "1000", "maxOutput": 100 }"""), "line 2: 'context' is '1000'; expected a whole number" },
        {
            Models("""{ "id": "groq:a", "context": 99999999999, "maxOutput": 100 }"""),
            "line 2: 'context' is 99999999999; expected a whole number"
        },
        { Models("""{ "id": "groq:a", "context": 1e999, "maxOutput": 100 }"""), "line 2: 'context' is 1e999; expected a whole number" },
        {
            Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 2000 }"""),
            "line 2: 'maxOutput' is 2000, more than the 'context' of 1000"
        },
        { Models("{ \"id\": \"groq:a\", \"context\": 1000, \"maxOutput\": 100, \"limits\": {\n \"rpm\": -1 } }"), "line 3: 'rpm' is -1" },
        {
            Models("{ \"id\": \"groq:a\", \"context\": 1000, \"maxOutput\": 100, \"limits\": {\n \"rpn\": 1 } }"),
            "line 3: 'rpn' is not a property of the limits; did you mean"
        },
        {
            Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 100, "price": { "inputUsdPerMillion": -0.1 } }"""),
            "'inputUsdPerMillion' is -0.1; expected US dollars, 0 or more"
        },
        {
            Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 100, "retires": "16.08.2026" }"""),
            "'retires' is '16.08.2026'; expected a date such as"
        },
        {
            Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 100, "replacedBy": "groq:a", "retires": "2026-01-01" }"""),
            "'groq:a' is replaced, by way of its successors, by itself"
        },
        {
            Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 100, "replacedBy": "groq:a" }"""),
            "'replacedBy' has no effect without 'retires'"
        },
        {
            Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 100, "vision": "yes" }"""),
            "'vision' is 'yes'; expected true or false"
        },
        { Models("""{ "id": "groq:a", "context": 1000, "maxOutput": 100, "strengths": [1] }"""), "'strengths' holds 1; expected words" },
        { Models("""{ "id": "groq:\ud800", "context": 1000, "maxOutput": 100 }"""), "line 2: this text has half of a surrogate pair" },
        { WithRoutes("[]"), "line 2: 'routes' is empty" },
        { WithRoutes("""[ { "task": "any", "complexity": "any" } ]"""), "line 2: a route has no 'models'" },
        { WithRoutes("""[ { "task": "any", "complexity": "any", "models": [] } ]"""), "line 2: the route 'any/any' names no model" },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "models": ["groq:a", "groq:a"] } ]"""),
            "the route 'any/any' names 'groq:a' twice"
        },
        {
            WithRoutes("""[ { "task": "code", "complexity": "hard", "models": ["groq:a"] } ]"""),
            "'complexity' is 'hard'; expected one of 'any', 'low', 'medium', 'high'"
        },
        { WithRoutes("""[ { "task": "", "complexity": "low", "models": ["groq:a"] } ]"""), "'task' is ''; expected a kind of task" },
        {
            WithRoutes("""[ { "task": "code", "complexity": "low", "models": ["groq:aa"] } ]"""),
            "the route 'code/low' names 'groq:aa', which is not among the models; did you mean 'groq:a'?"
        },
        {
            WithRoutes("[ { \"task\": \"any\", \"complexity\": \"any\", \"models\": [\"groq:a\"] },\n{ \"task\": \"code\", \"complexity\": "
                + "\"any\", \"models\": [\"groq:a\"] } ]"),
            "line 3: the route 'any/any' before this one takes every task"
        },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "minConfidence": 2, "models": ["groq:a"] } ]"""),
            "line 2: 'minConfidence' is 2; expected a share from 0 to 1."
        },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "minLoad": -0.1, "models": ["groq:a"] } ]"""),
            "line 2: 'minLoad' is -0.1; expected a share from 0 to 1."
        },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "minTurns": 0, "models": ["groq:a"] } ]"""),
            "line 2: 'minTurns' is 0; expected a whole number from 1"
        },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "needsContext": "no", "models": ["groq:a"] } ]"""),
            "line 2: 'needsContext' is 'no'; expected true or false."
        },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "stakes": "huge", "models": ["groq:a"] } ]"""),
            "line 2: 'stakes' is 'huge'; expected one of 'any', 'high', 'normal'"
        },
        {
            WithRoutes("""[ { "task": "any", "complexity": "any", "tier": "gold", "models": ["groq:a"] } ]"""),
            "line 2: the tier 'gold' is not among the 'tiers'; add it there with its tenants."
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"tiers\": { \"gold\": [\"anna\"],\n\"silver\": [\"anna\"] } }",
            "line 4: the tenant 'anna' is of the tier 'gold' already; keep one."
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"tiers\": { \"gold\": \"anna\" } }",
            "line 3: the tier 'gold' is 'anna'; expected a list of tenants."
        },
        { "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"tiers\": [] }", "line 3: 'tiers' is a list; expected an object of tiers" },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"widenBelow\": 70 }",
            "line 3: 'widenBelow' is 70; expected a share from 0 to 1."
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"pools\": { \"sumary\": [] } }",
            "line 3: 'sumary' is not a property of the pools; did you mean 'summary'?"
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"pools\": { \"summary\": [] } }",
            "line 3: the pool 'summary' names no model"
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"classifier\": [\"groq:zz-top\"] }",
            "line 3: the classifier names 'groq:zz-top', which is not among the models"
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"passes\": { \"critque\": [] } }",
            "line 3: 'critque' is not a property of the passes; did you mean 'critique'?"
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"passes\": { \"extract\": [\"groq:a\"] } }",
            "line 3: the pass 'extract' names 'groq:a', which reads no images; name a model with 'vision': true."
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"passes\": { \"critique\": [] } }",
            "line 3: the pass 'critique' names no model"
        },
        {
            "{ \"models\": [" + Model + "],\n" + Routes + ",\n\"passes\": { \"critique\": [\"groq:b\"] } }",
            "line 3: the pass 'critique' names 'groq:b', which is not among the models"
        },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Is_refused_with_the_line_and_the_reason(string json, string sentence)
    {
        var fault = Assert.Throws<CatalogueException>(() => ModelCatalogue.Parse(json, "catalogue.json"));

        Assert.Contains(sentence, fault.Message);
        Assert.StartsWith("catalogue.json, line ", fault.Message);
    }

    [Fact]
    public void All_problems_of_a_file_are_told_together_in_their_order()
    {
        var fault = Assert.Throws<CatalogueException>(() => ModelCatalogue.Parse(
            "{ \"models\": [\n{ \"id\": \"groq:a\",\n\"context\": -1,\n\"maxOutput\": 0 } ], \"rotes\": [] }", "catalogue.json"));

        Assert.Equal([1, 3, 4, 4], fault.Message.Split('\n').Select(line => int.Parse(line.Split("line ")[1].Split(':')[0])));
    }

    [Fact]
    public void After_ten_problems_the_rest_is_only_counted()
    {
        var models = string.Join(",\n",
            Enumerable.Range(0, 15).Select(n => $$"""{ "id": "groq:m{{n}}", "context": -1, "maxOutput": 1 }"""));
        var fault = Assert.Throws<CatalogueException>(() => ModelCatalogue.Parse(
            "{ \"models\": [" + models + "],\n\"routes\": [ { \"task\": \"any\", \"complexity\": \"any\", \"models\": [\"groq:m1\"] } ] }",
            "catalogue.json"));

        Assert.Equal(11, fault.Message.Split('\n').Length);
        Assert.EndsWith("and 5 more.", fault.Message);
    }

    private static string Models(string models) => "{ \"models\": [\n" + models + "\n],\n" + Routes + "}";

    private static string WithRoutes(string routes) => "{ \"models\": [" + Model + "],\n\"routes\": " + routes + "}";
}
