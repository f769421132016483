using System.Text.Json;

namespace LlmQueue.Catalogue.Reading;

/// <summary>
/// The names of models in a catalogue: they are checked when every model is known, as a route may stand before its models.
/// </summary>
internal sealed class ModelReferences(CatalogueProblems problems)
{
    private readonly List<(ModelId Id, int Line, string By)> _references = [];

    public List<ModelId> Chain(CatalogueFields? fields, string name, string by)
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

    public ModelId? Reference(JsonPart part, string by)
    {
        if (Id(part) is not { } id)
            return null;
        _references.Add((id, part.Line, by));
        return id;
    }

    public ModelId? Id(JsonPart? part)
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

    public void Check(IReadOnlyDictionary<ModelId, (ModelEntry Entry, int Line)> models)
    {
        foreach (var (id, line, by) in _references.Where(reference => !models.ContainsKey(reference.Id)))
        {
            var near = NearestName.Of(id.ToString(), models.Keys.Select(key => key.ToString()));
            problems.Add(line, $"{by} names '{id}', which is not among the models; "
                + (near is null ? "add it there, or take it out here." : $"did you mean '{near}'?"));
        }
        foreach (var (entry, line) in models.Values)
        {
            var (seen, next) = (new HashSet<ModelId> { entry.Id }, entry.ReplacedBy);
            while (next is not null && models.TryGetValue(next, out var successor) && seen.Add(next))
                next = successor.Entry.ReplacedBy;
            // Told once, at the model that closes the circle onto itself.
            if (next == entry.Id)
                problems.Add(line,
                    $"'{entry.Id}' is replaced, by way of its successors, by itself; let the last of them have no 'replacedBy'.");
        }
    }
}
