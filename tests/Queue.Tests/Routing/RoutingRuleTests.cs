using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Catalogue;
using LlmQueue.Tests.Catalogue;
using LlmQueue.Worker.Routing;
using Xunit;

namespace LlmQueue.Tests.Routing;

public sealed class RoutingRuleTests
{
    private static readonly DateOnly Now = new(2026, 11, 21);

    // Before any of the matrix's models had retired: the table as its author wrote it.
    private static readonly DateOnly Before = new(2025, 3, 1);
    private static readonly ModelCatalogue Real = ModelCatalogue.Load(Path.Combine(CatalogueTests.Root, "catalogue.json"));

    [Theory]
    [InlineData("analysis", "high", "deepseek-r1-distill-llama-70b", "llama-3.3-70b-versatile")]
    [InlineData("summarization", "medium", "qwen/qwen3-32b", "llama-3.1-8b-instant")]
    [InlineData("creative", "medium", "llama-3.3-70b-versatile", "qwen/qwen3-32b")]
    [InlineData("ideation", "high", "llama-3.3-70b-versatile", "qwen/qwen3-32b")]
    [InlineData("reasoning", "high", "deepseek-r1-distill-qwen-32b", "deepseek-r1-distill-llama-70b")]
    [InlineData("code", "medium", "llama-3.3-70b-versatile", "meta-llama/llama-4-maverick-17b-128e-instruct")]
    [InlineData("architecture", "high", "openai/gpt-oss-120b", "qwen/qwen3-32b")]
    [InlineData("multilingual", "medium", "qwen/qwen3-32b", "qwen/qwen3.8-27b")]
    [InlineData("analysis", "low", "llama-3.1-8b-instant", "qwen/qwen3.8-27b")]
    [InlineData("Summarization", "medium", "qwen/qwen3-32b", "llama-3.1-8b-instant")]
    [InlineData("gardening", "medium", "openai/gpt-oss-120b", "openai/gpt-oss-20b")]
    public void The_matrix_sends_each_kind_to_its_models(string kind, string complexity, string first, string second)
    {
        var routed = Assert.IsType<Routed>(
            Decide(new RouteRequest { Kind = kind, Complexity = complexity, PromptTokens = 500, MaxOutputTokens = 500 }, Before, "groq"));

        Assert.Equal([first, second], routed.Models.Take(2).Select(id => id.Name));
    }

    [Fact]
    public void Small_classification_goes_to_the_two_fast_models_of_the_matrix()
    {
        var routed = Assert.IsType<Routed>(Decide(
            new RouteRequest { Kind = "classification", Complexity = "medium", PromptTokens = 500, MaxOutputTokens = 500 }, Before,
            "groq"));

        Assert.Equal("classification", routed.Rule);
        Assert.Equal(["llama-3.1-8b-instant", "gemma2-9b-it"], routed.Models.Select(id => id.Name));
    }

    [Theory]
    [InlineData(32000, "code")]
    [InlineData(32001, "long-context")]
    public void A_long_prompt_takes_the_long_route(int promptTokens, string rule) =>
        Assert.Equal(rule, Assert.IsType<Routed>(Decide(
            new RouteRequest { Kind = "code", Complexity = "high", PromptTokens = promptTokens, MaxOutputTokens = 500 }, Before,
            "groq")).Rule);

    [Theory]
    [InlineData("interactive", "medium", false, "speed")]
    [InlineData("interactive", "high", false, "default")]
    [InlineData("normal", "medium", false, "default")]
    [InlineData("normal", "low", false, "simple-and-sure")]
    [InlineData("interactive", "medium", true, "default")]
    [InlineData("normal", "low", true, "default")]
    public void Speed_is_for_the_easy_and_the_hurried_and_never_for_high_stakes(
        string priority, string complexity, bool highStakes, string rule)
    {
        var request = new RouteRequest
        {
            Kind = "question", Complexity = complexity, Priority = priority, HighStakes = highStakes, PromptTokens = 500,
            MaxOutputTokens = 500,
        };

        Assert.Equal(rule, Assert.IsType<Routed>(Decide(request, Before, "groq")).Rule);
    }

    [Fact]
    public void Retired_models_are_replaced_by_their_successors_and_the_rule_says_so()
    {
        var routed = Assert.IsType<Routed>(Decide(
            new RouteRequest { Kind = "analysis", Complexity = "high", PromptTokens = 500, MaxOutputTokens = 500 }, Now, "groq",
            "mistral"));

        Assert.Equal(["groq:openai/gpt-oss-120b", "mistral:mistral-large-4"], routed.Models.Select(id => id.ToString()));
        Assert.StartsWith("analysis (retired: groq:deepseek-r1-distill-llama-70b → groq:openai/gpt-oss-120b, ", routed.Rule);
    }

    [Fact]
    public void A_requested_model_alone_answers()
    {
        var request = new RouteRequest { Kind = "code", Model = "groq:openai/gpt-oss-20b", PromptTokens = 500, MaxOutputTokens = 500 };

        var routed = Assert.IsType<Routed>(Decide(request, Now, "groq", "mistral"));

        Assert.Equal(("requested", "groq:openai/gpt-oss-20b"), (routed.Rule, Assert.Single(routed.Models).ToString()));
    }

    [Fact]
    public void A_requested_model_that_has_retired_is_replaced() =>
        Assert.Equal(
            "requested (retired: groq:llama-3.1-8b-instant → groq:openai/gpt-oss-20b)",
            Assert.IsType<Routed>(
                Decide(new RouteRequest { Model = "groq:llama-3.1-8b-instant", PromptTokens = 1, MaxOutputTokens = 1 }, Now, "groq")).Rule);

    [Theory]
    [InlineData("groq:foo", "'groq:foo' is not in the catalogue; known models of groq are openai/gpt-oss-20b, ")]
    [InlineData("groq:openai/gpt-oss-20", "did you mean 'groq:openai/gpt-oss-20b'?")]
    [InlineData("nobody:foo", "'nobody:foo' is not in the catalogue; known providers are groq, mistral, ")]
    [InlineData("foo", "'foo' is not in the catalogue; known providers are groq, mistral, ")]
    [InlineData("openai/gpt-oss-20b", "models are named 'provider:model': did you mean 'groq:openai/gpt-oss-20b'?")]
    [InlineData("mistral:mistral-large-4", "'mistral:mistral-large-4' cannot be called: no key of mistral is set; set MISTRAL_API_KEY")]
    public void A_model_that_cannot_be_had_is_refused_with_what_there_is(string model, string sentence) =>
        Assert.Contains(sentence,
            Assert.IsType<NoModel>(Decide(new RouteRequest { Model = model, PromptTokens = 1, MaxOutputTokens = 1 }, Now, "groq")).Reason);

    [Theory]
    [InlineData(140_000, 1024,
        "The prompt is estimated at 140000 tokens and its answer may take 1024; the largest context that can be had here is 131072 tokens")]
    [InlineData(130_000, 2000,
        "The prompt is estimated at 130000 tokens and its answer may take 2000; the largest context that can be had here is 131072 tokens")]
    [InlineData(100, 70_000, "'maxOutputTokens' is 70000; the longest answer that can be had here is 65536 tokens")]
    public void What_nobody_can_hold_is_refused_with_the_figures(int promptTokens, int maxOutputTokens, string sentence) =>
        Assert.StartsWith(sentence, Assert.IsType<NoModel>(Decide(
            new RouteRequest { Kind = "code", Complexity = "high", PromptTokens = promptTokens, MaxOutputTokens = maxOutputTokens }, Now,
            "groq")).Reason);

    [Fact]
    public void A_call_that_no_minute_has_room_for_is_refused_with_the_limit()
    {
        var conditions = new RouteConditions(provider => provider == "groq", Now, entry => entry.Limits.TokensPerMinute);

        var none = Assert.IsType<NoModel>(RoutingRule.Decide(
            new RouteRequest { Kind = "code", Complexity = "high", PromptTokens = 9000, MaxOutputTokens = 1000 }, Real, conditions));

        Assert.StartsWith(
            "The prompt is estimated at 9000 tokens and its answer may take 1000; "
                + "a minute's limit here is at most 8000 tokens, of groq:openai/gpt-oss-",
            none.Reason);
    }

    [Theory]
    [InlineData(7000, 1000, true)]
    [InlineData(7000, 1001, false)]
    public void A_call_may_take_a_whole_minute_and_not_a_token_more(int promptTokens, int maxOutputTokens, bool taken) =>
        Assert.Equal(taken, RoutingRule.Decide(
            new RouteRequest { Kind = "code", Complexity = "high", PromptTokens = promptTokens, MaxOutputTokens = maxOutputTokens }, Real,
            new RouteConditions(provider => provider == "groq", Now, _ => 8000)) is Routed);

    [Fact]
    public void Without_any_key_the_sentence_says_which_to_set() =>
        Assert.Equal(
            "No provider with a key can take this task: "
                + "its routes name models of groq, mistral, gemini, openrouter, openai, anthropic, local; set GROQ_API_KEY or "
                + "MISTRAL_API_KEY or GEMINI_API_KEY or OPENROUTER_API_KEY or OPENAI_API_KEY or ANTHROPIC_API_KEY or LOCAL_BASE_URL.",
            Assert.IsType<NoModel>(
                Decide(new RouteRequest { Kind = "gardening", Complexity = "high", PromptTokens = 1, MaxOutputTokens = 1 }, Now)).Reason);

    [Fact]
    public void A_row_without_anyone_left_makes_way_for_the_next_that_fits()
    {
        var routed = Assert.IsType<Routed>(
            Decide(new RouteRequest { Kind = "code", Complexity = "high", PromptTokens = 100, MaxOutputTokens = 100 }, Now, "local"));

        Assert.Equal(("default (nobody of code can take it)", "local:gpt-oss:20b"), (routed.Rule, Assert.Single(routed.Models).ToString()));
    }

    [Fact]
    public void Every_task_gets_a_chain_that_can_take_it_or_a_sentence()
    {
        var text = Gen.Elements<string?>(null, "", "any", "code", "CODE", "analysis", "low", "medium", "high", "interactive", "batch",
            "nonsense", "\0", "🦆");
        var model = Gen.Elements<string?>(null, null, null, "", " ", "groq:openai/gpt-oss-20b", "groq:llama-3.1-8b-instant", "groq:", ":",
            "x", "local:gpt-oss:20b");
        var size = Gen.OneOf(Gen.Choose(-5, 5000), Gen.Choose(5000, 2_000_000), Gen.Elements(int.MaxValue, int.MinValue, 0));
        var minute = Gen.Elements<long?>(null, 0, 8000, 1_000_000);
        var cases =
            from kind in text from complexity in text from priority in text from asked in model
            from agent in text
            from tenant in text
            from turns in Gen.Choose(-1, 20)
            from needs in Gen.Elements(true, false)
            from also in Gen.Elements<string[]>([], ["code"], ["analysis", "nonsense"])
            from sure in Gen.Elements(0, 0.5, 0.7, 0.91, 1, double.NaN) from load in Gen.Elements(0, 0.5, 0.81, 1, double.PositiveInfinity)
            from stakes in Gen.Elements(true, false)
            from prompt in size
            from output in size
            from keys in Gen.Choose(0, 127)
            from limit in minute
            from day in Gen.Choose(0, 1000)
            select (new RouteRequest { Kind = kind, Complexity = complexity, Priority = priority, Model = asked, HighStakes = stakes, PromptTokens = prompt, MaxOutputTokens = output,
                Agent = agent, Tenant = tenant, ConversationTurns = turns, NeedsContext = needs, AlsoLikely = also, Confidence = sure },
                    keys, limit, load, Before.AddDays(day));
        string[] providers = ["groq", "openrouter", "mistral", "gemini", "anthropic", "openai", "local"];

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(5000), Prop.ForAll(cases.ToArbitrary(), given =>
        {
            var (request, keys, limit, load, today) = given;
            bool HasKey(string provider) => (keys >> Array.IndexOf(providers, provider) & 1) == 1;
            return RoutingRule.Decide(request, Real, new RouteConditions(HasKey, today, _ => limit) { Load = load }) switch
            {
                Routed routed => routed.Rule.Length > 0
                    && routed.Models.Count > 0
                    && routed.Models.Distinct().Count() == routed.Models.Count
                    && routed.Models.All(id =>
                    Real.Find(id) is { } entry && HasKey(id.Provider) && !entry.IsRetired(today)
                    && request.MaxOutputTokens <= entry.MaxOutput
                    && (long)request.PromptTokens + request.MaxOutputTokens <= Math.Min(entry.Context, limit ?? long.MaxValue)),
                NoModel none => none.Reason.Length > 20 && none.Reason[^1] is '.' or '?',
                _ => false,
            };
        }));
    }

    private static RouteChoice Decide(RouteRequest request, DateOnly today, params string[] keys) =>
        RoutingRule.Decide(request, Real, new RouteConditions(keys.Contains, today));
}
