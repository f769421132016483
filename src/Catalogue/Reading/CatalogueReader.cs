using System.Text.Json;
using LlmQueue.Contracts;

namespace LlmQueue.Catalogue.Reading;

/// <summary>Reads the file's JSON into a catalogue and notes every problem, also in the references between its parts.</summary>
internal sealed class CatalogueReader(CatalogueProblems problems)
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

    // References are checked when every model is known: a route may stand before the models it names.
    private readonly List<(ModelId Id, int Line, string By)> _references = [];
    private readonly HashSet<string> _tierNames = new(StringComparer.Ordinal);

    public ModelCatalogue Read(JsonPart root, string fingerprint)
    {
        var file = new CatalogueFields(root, "the catalogue", ["models", "routes", "pools", "classifier", "passes", "tiers", "widenBelow"],
            problems);
        var list = file.List(file.Required("models", "a list of at least one model"), "models", "a list of models");
        if (file.Optional("models") is { Kind: JsonTokenType.StartArray, Items.Count: 0 } empty)
            problems.Add(empty.Line, "'models' is empty; expected at least one model.");
        var entries = list.Select(Model).OfType<ModelEntry>().ToList();

        var routes = file.List(file.Required("routes", "a list of at least one route"), "routes", "a list of routes")
            .Select(ReadRoute).OfType<Route>().ToList();
        if (file.Optional("routes") is { Kind: JsonTokenType.StartArray, Items.Count: 0 } none)
            problems.Add(none.Line,
                "'routes' is empty; expected at least one, such as { \"task\": \"any\", \"complexity\": "
                    + "\"any\", \"models\": [\"groq:openai/gpt-oss-20b\"] }.");
        CheckReachable(routes, file);
        var tiers = ReadTiers(file.Optional("tiers"));
        CheckTiers(file);

        var pools = file.Optional("pools") is { } part ? new CatalogueFields(part, "the pools", ["summary", "synthesis"], problems) : null;
        var (summary, synthesis) = (Chain(pools, "summary", "the pool 'summary'"), Chain(pools, "synthesis", "the pool 'synthesis'"));
        var classifier = Chain(file, "classifier", "the classifier");
        var passes = file.Optional("passes") is { } roles
            ? new CatalogueFields(roles, "the passes", ["critique", "extract"], problems)
            : null;
        var critics = Chain(passes, "critique", "the pass 'critique'");
        var extractors = Chain(passes, "extract", "the pass 'extract'");
        CheckReferences();
        foreach (var blind in extractors.Where(id => _models.TryGetValue(id, out var model) && !model.Entry.Vision))
            problems.Add(passes!.Optional("extract")!.Line,
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
            problems);
        if (!fields.IsObject)
            return null;
        var id = Id(fields.Required("id", "'provider:model'"));
        var context = fields.Count("context", "its window in tokens");
        var maxOutput = fields.Count("maxOutput", "the tokens of its longest answer");
        if (maxOutput > context && fields.Optional("context") is { Kind: JsonTokenType.Number })
            problems.Add(fields.Optional("maxOutput")!.Line,
                $"'maxOutput' is {maxOutput}, more than the 'context' of {context}; prompt and answer share the context.");
        var retires = fields.Date("retires");
        var replacedBy = Id(fields.Optional("replacedBy"));
        if (replacedBy is not null && fields.Optional("retires") is null)
            problems.Add(fields.Optional("replacedBy")!.Line,
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
        problems.Add(fields.Line, $"the model '{id}' is listed already, on line {_models[id].Line}; keep one.");
        return null;
    }

    private ModelLimits Limits(JsonPart? part)
    {
        if (part is null)
            return ModelLimits.None;
        var fields = new CatalogueFields(part, "the limits", ["rpm", "rpd", "tpm", "tpd"], problems);
        return new ModelLimits(fields.OptionalCount("rpm"), fields.OptionalCount("rpd"), fields.OptionalLong("tpm"),
            fields.OptionalLong("tpd"));
    }

    private ModelPrice Price(JsonPart? part)
    {
        if (part is null)
            return ModelPrice.Unknown;
        var fields = new CatalogueFields(part, "the price", ["inputUsdPerMillion", "outputUsdPerMillion"], problems);
        return new ModelPrice(fields.OptionalAmount("inputUsdPerMillion", "US dollars"),
            fields.OptionalAmount("outputUsdPerMillion", "US dollars"));
    }

    private Route? ReadRoute(JsonPart part)
    {
        var fields = new CatalogueFields(part, "a route", RouteColumns, problems);
        var task = fields.Text("task", "a kind of task such as 'code', or 'any'");
        var complexity = OneOf(fields, "complexity", Complexities, fields.Text("complexity", "'low', 'medium', 'high' or 'any'"));
        var priority = OneOf(fields, "priority", Priorities, fields.OptionalText("priority", "'interactive', 'normal', 'batch' or 'any'"));
        var stakes = OneOf(fields, "stakes", Stakes, fields.OptionalText("stakes", "'high', 'normal' or 'any'"));
        var agent = fields.OptionalText("agent", "an agent as tasks name it, or 'any'");
        var tier = fields.OptionalText("tier", "a tier of 'tiers', 'standard' or 'any'");
        var name = fields.OptionalText("name", "a name for a task's history");
        fields.Required("models", "a list of at least one model");
        var chain = Chain(fields, "models", $"the route '{name ?? $"{task}/{complexity}"}'");
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

    private Tiers ReadTiers(JsonPart? part)
    {
        if (part is null)
            return Tiers.None;
        if (part.Kind != JsonTokenType.StartObject)
            problems.Add(part.Line,
                $"'tiers' is {part.Shown}; expected an object of tiers, each with a list of tenants, "
                    + "such as { \"premium\": [\"acme\"] }.");
        var byTenant = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var tier in part.Members)
        {
            _tierNames.Add(tier.Name);
            if (tier.Value.Kind != JsonTokenType.StartArray)
                problems.Add(tier.Line, $"the tier '{tier.Name}' is {tier.Value.Shown}; expected a list of tenants.");
            foreach (var tenant in tier.Value.Items)
                if (tenant.Kind != JsonTokenType.String)
                    problems.Add(tenant.Line, $"the tier '{tier.Name}' holds {tenant.Shown}; expected tenants in quotes.");
                else if (!byTenant.TryAdd(tenant.Text, tier.Name))
                    problems.Add(tenant.Line, $"the tenant '{tenant.Text}' is of the tier '{byTenant[tenant.Text]}' already; keep one.");
        }

        return new Tiers(byTenant);
    }

    private void CheckTiers(CatalogueFields file)
    {
        foreach (var row in file.Optional("routes")?.Items ?? [])
            foreach (var member in row.Members.Where(m => m.Name == "tier"
                && m.Value.Kind == JsonTokenType.String
                && m.Value.Text is not (Route.Any or Tiers.Standard)
                && !_tierNames.Contains(m.Value.Text)))
                problems.Add(member.Line, $"the tier '{member.Value.Text}' is not among the 'tiers'{NearestName.Question(member.Value.Text, _tierNames) switch { "" => "; add it there with its tenants.", var near => near }}");
    }

    private string? OneOf(CatalogueFields fields, string name, string[] allowed, string? found)
    {
        if (found is not null && !allowed.Contains(found))
            problems.Add(fields.Optional(name)!.Line,
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
                problems.Add(item.Line, $"'{name}' holds {item.Shown}; expected words in quotes.");
        return texts;
    }

    private List<ModelId> Chain(CatalogueFields? fields, string name, string by)
    {
        var part = fields?.Optional(name);
        if (part is { Kind: JsonTokenType.StartArray, Items.Count: 0 })
            problems.Add(part.Line, $"{by} names no model; expected at least one.");
        var chain = new List<ModelId>();
        foreach (var item in fields?.List(part, name, "a list of models as 'provider:model'") ?? [])
            if (Reference(item, by) is { } id)
            {
                if (chain.Contains(id))
                    problems.Add(item.Line, $"{by} names '{id}' twice; keep the first.");
                chain.Add(id);
            }
        return chain;
    }

    private ModelId? Reference(JsonPart part, string by)
    {
        if (Id(part) is not { } id)
            return null;
        _references.Add((id, part.Line, by));
        return id;
    }

    private ModelId? Id(JsonPart? part)
    {
        if (part is null)
            return null;
        if (part.Kind == JsonTokenType.String && ModelId.TryParse(part.Text, out var id))
            return id;
        problems.Add(part.Line,
            $"found {part.Shown}; expected a model as 'provider:model' with the provider in lower case, "
                + "for example 'groq:openai/gpt-oss-20b'.");
        return null;
    }

    private void CheckReferences()
    {
        foreach (var (id, line, by) in _references.Where(reference => !_models.ContainsKey(reference.Id)))
            problems.Add(line, $"{by} names '{id}', which is not among the models{NearestName.Of(id.ToString(), _models.Keys.Select(key => key.ToString())) switch { { } near => $"; did you mean '{near}'?", null => "; add it there, or take it out here." }}");
        foreach (var (entry, line) in _models.Values)
        {
            var (seen, next) = (new HashSet<ModelId> { entry.Id }, entry.ReplacedBy);
            while (next is not null && _models.TryGetValue(next, out var successor) && seen.Add(next))
                next = successor.Entry.ReplacedBy;
            // Told once, at the model that closes the circle onto itself.
            if (next == entry.Id)
                problems.Add(line,
                    $"'{entry.Id}' is replaced, by way of its successors, by itself; let the last of them have no 'replacedBy'.");
        }
    }

    // A row behind one that takes everything is a row that somebody believes in and that never applies.
    private void CheckReachable(List<Route> routes, CatalogueFields file)
    {
        var all = routes.FindIndex(route => route.TakesAll);
        if (all >= 0 && all < routes.Count - 1)
            problems.Add(file.Optional("routes")!.Items[Math.Min(all + 1, file.Optional("routes")!.Items.Count - 1)].Line,
                $"the route '{routes[all].Name}' before this one takes every task, so this one never applies; "
                    + $"move '{routes[all].Name}' to the end.");
    }
}
