using System.Text.Json;
using LlmQueue.Contracts;

namespace LlmQueue.Catalogue.Reading;

/// <summary>Makes a catalogue of the file's parts and notes everything that doesn't fit, references between the parts included.</summary>
internal sealed class CatalogueReader
{
    private static readonly string[] Complexities = [Route.Any, "low", "medium", "high"];
    private static readonly string[] Stakes = [Route.Any, "high", "normal"];
    private static readonly string[] RouteColumns =
    [
        "task", "complexity", "models", "name", "priority", "agent", "tier", "stakes", "minContext", "minTurns", "needsContext",
        "minConfidence", "minLoad",
    ];
    private static readonly string[] Priorities = [Route.Any, "interactive", "normal", "batch"];

    private readonly Dictionary<ModelId, (ModelEntry Entry, int Line)> _models = [];

    private readonly CatalogueProblems _problems;
    private readonly ModelReferences _references;
    private readonly TierReader _tiers;

    public CatalogueReader(CatalogueProblems problems) =>
        (_problems, _references, _tiers) = (problems, new ModelReferences(problems), new TierReader(problems));

    public ModelCatalogue Read(JsonPart root, string fingerprint)
    {
        var file = new CatalogueFields(root, "the catalogue", ["models", "routes", "pools", "classifier", "passes", "tiers", "widenBelow"],
            _problems);
        var list = file.List(file.Required("models", "a list of at least one model"), "models", "a list of models");
        if (file.Optional("models") is { Kind: JsonTokenType.StartArray, Items.Count: 0 } empty)
            _problems.Add(empty.Line, "'models' is empty; expected at least one model.");
        var entries = list.Select(Model).OfType<ModelEntry>().ToList();

        var routes = file.List(file.Required("routes", "a list of at least one route"), "routes", "a list of routes")
            .Select(ReadRoute).OfType<Route>().ToList();
        if (file.Optional("routes") is { Kind: JsonTokenType.StartArray, Items.Count: 0 } none)
            _problems.Add(none.Line,
                "'routes' is empty; expected at least one, such as { \"task\": \"any\", \"complexity\": "
                    + "\"any\", \"models\": [\"groq:openai/gpt-oss-20b\"] }.");
        CheckReachable(routes, file);
        var tiers = _tiers.Read(file.Optional("tiers"));
        _tiers.Check(file);

        var pools = file.Optional("pools") is { } part ? new CatalogueFields(part, "the pools", ["summary", "synthesis"], _problems) : null;
        var (summary, synthesis) = (_references.Chain(pools, "summary", "the pool 'summary'"),
            _references.Chain(pools, "synthesis", "the pool 'synthesis'"));
        var classifier = _references.Chain(file, "classifier", "the classifier");
        var passes = file.Optional("passes") is { } roles
            ? new CatalogueFields(roles, "the passes", ["critique", "extract"], _problems)
            : null;
        var critics = _references.Chain(passes, "critique", "the pass 'critique'");
        var extractors = _references.Chain(passes, "extract", "the pass 'extract'");
        _references.Check(_models);
        foreach (var blind in extractors.Where(id => _models.TryGetValue(id, out var model) && !model.Entry.Vision))
            _problems.Add(passes!.Optional("extract")!.Line,
                $"the pass 'extract' names '{blind}', which reads no images; name a model with 'vision': true.");
        return new ModelCatalogue(entries, routes, summary, synthesis, classifier)
        {
            Critics = critics, Extractors = extractors, Tiers = tiers, WidenBelow = file.OptionalShare("widenBelow") ?? 0.7m,
            Fingerprint = fingerprint,
        };
    }

    private ModelEntry? Model(JsonPart part)
    {
        var fields = new CatalogueFields(part, "a model",
            ["id", "context", "maxOutput", "limits", "price", "retires", "replacedBy", "strengths", "vision", "jsonSchema",
                "chargesMaxOutput", "firstChoiceTimeoutSeconds"],
            _problems);
        if (!fields.IsObject)
            return null;
        var id = _references.Id(fields.Required("id", "'provider:model'"));
        var context = fields.Count("context", "its window in tokens");
        var maxOutput = fields.Count("maxOutput", "the tokens of its longest answer");
        if (maxOutput > context && fields.Optional("context") is { Kind: JsonTokenType.Number })
            _problems.Add(fields.Optional("maxOutput")!.Line,
                $"'maxOutput' is {maxOutput}, more than the 'context' of {context}; prompt and answer share the context.");
        var retires = fields.Date("retires");
        var replacedBy = _references.Id(fields.Optional("replacedBy"));
        if (replacedBy is not null && fields.Optional("retires") is null)
            _problems.Add(fields.Optional("replacedBy")!.Line,
                "'replacedBy' has no effect without 'retires'; add the date, or leave it out.");
        if (id is null)
            return null;

        var entry = new ModelEntry
        {
            Id = id, Context = context, MaxOutput = maxOutput, Retires = retires, ReplacedBy = replacedBy,
            Limits = Limits(fields.Optional("limits")),
            Price = Price(fields.Optional("price")),
            Strengths = Texts(fields, "strengths"),
            Vision = fields.Flag("vision"),
            ChargesMaxOutput = fields.Flag("chargesMaxOutput", otherwise: true),
            JsonSchema = fields.Flag("jsonSchema"),
            FirstChoiceTimeout = fields.OptionalCount("firstChoiceTimeoutSeconds") is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        };
        if (_models.TryAdd(id, (entry, fields.Line)))
            return entry;
        _problems.Add(fields.Line, $"the model '{id}' is listed already, on line {_models[id].Line}; keep one.");
        return null;
    }

    private ModelLimits Limits(JsonPart? part)
    {
        if (part is null)
            return ModelLimits.None;
        var fields = new CatalogueFields(part, "the limits", ["rpm", "rpd", "tpm", "tpd"], _problems);
        return new ModelLimits(fields.OptionalCount("rpm"), fields.OptionalCount("rpd"), fields.OptionalLong("tpm"),
            fields.OptionalLong("tpd"));
    }

    private ModelPrice Price(JsonPart? part)
    {
        if (part is null)
            return ModelPrice.Unknown;
        var fields = new CatalogueFields(part, "the price", ["inputUsdPerMillion", "outputUsdPerMillion"], _problems);
        return new ModelPrice(fields.OptionalAmount("inputUsdPerMillion", "US dollars"),
            fields.OptionalAmount("outputUsdPerMillion", "US dollars"));
    }

    private Route? ReadRoute(JsonPart part)
    {
        var fields = new CatalogueFields(part, "a route", RouteColumns, _problems);
        var task = fields.Text("task", "a kind of task such as 'code', or 'any'");
        var complexity = OneOf(fields, "complexity", Complexities, fields.Text("complexity", "'low', 'medium', 'high' or 'any'"));
        var priority = OneOf(fields, "priority", Priorities, fields.OptionalText("priority", "'interactive', 'normal', 'batch' or 'any'"));
        var stakes = OneOf(fields, "stakes", Stakes, fields.OptionalText("stakes", "'high', 'normal' or 'any'"));
        var agent = fields.OptionalText("agent", "an agent as tasks name it, or 'any'");
        var tier = fields.OptionalText("tier", "a tier of 'tiers', 'standard' or 'any'");
        var name = fields.OptionalText("name", "a name for a task's history");
        fields.Required("models", "a list of at least one model");
        var chain = _references.Chain(fields, "models", $"the route '{name ?? $"{task}/{complexity}"}'");
        if (!fields.IsObject)
            return null;
        var route = new Route
        {
            Task = task ?? Route.Any, Complexity = complexity ?? Route.Any, Models = chain,
            Priority = priority ?? Route.Any, Agent = agent ?? Route.Any, Tier = tier ?? Route.Any, Stakes = stakes ?? Route.Any,
            MinContext = fields.OptionalCount("minContext"), MinTurns = fields.OptionalCount("minTurns"),
            NeedsContext = fields.Optional("needsContext") is null ? null : fields.Flag("needsContext"),
            MinConfidence = fields.OptionalShare("minConfidence"), MinLoad = fields.OptionalShare("minLoad"),
        };
        return name is null ? route : route with { Name = name };
    }

    private string? OneOf(CatalogueFields fields, string name, string[] allowed, string? found)
    {
        if (found is not null && !allowed.Contains(found))
            _problems.Add(fields.Optional(name)!.Line,
                $"'{name}' is '{found}'; expected one of "
                    + $"{string.Join(", ", allowed.Select(value => $"'{value}'"))}{NearestName.Question(found, allowed)}");
        return found;
    }

    private List<string> Texts(CatalogueFields fields, string name)
    {
        var texts = new List<string>();
        foreach (var item in fields.List(fields.Optional(name), name, "a list of words"))
            if (item.Kind == JsonTokenType.String)
                texts.Add(item.Text);
            else
                _problems.Add(item.Line, $"'{name}' holds {item.Shown}; expected words in quotes.");
        return texts;
    }

    // A row behind one that takes everything is a row that somebody believes in and that never applies.
    private void CheckReachable(List<Route> routes, CatalogueFields file)
    {
        var all = routes.FindIndex(route => route.TakesAll);
        if (all >= 0 && all < routes.Count - 1)
            _problems.Add(file.Optional("routes")!.Items[Math.Min(all + 1, file.Optional("routes")!.Items.Count - 1)].Line,
                $"the route '{routes[all].Name}' before this one takes every task, so this one never applies; "
                    + $"move '{routes[all].Name}' to the end.");
    }
}
