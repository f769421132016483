using LlmQueue.Catalogue.Reading;

namespace LlmQueue.Catalogue;

/// <summary>The catalogue: models, routing table and pools, which change often, as data. Immutable; a reload makes a new one.</summary>
public sealed class ModelCatalogue
{
    private readonly Dictionary<ModelId, ModelEntry> _byId;

    internal ModelCatalogue(
        IReadOnlyList<ModelEntry> models, IReadOnlyList<Route> routes, IReadOnlyList<ModelId> summaryPool,
        IReadOnlyList<ModelId> synthesisModels, IReadOnlyList<ModelId> classifier)
    {
        (Models, Routes, SummaryPool, SynthesisModels, Classifier) = (models, routes, summaryPool, synthesisModels, classifier);
        _byId = models.ToDictionary(model => model.Id);
    }

    public IReadOnlyList<ModelEntry> Models { get; }
    public IReadOnlyList<Route> Routes { get; }

    /// <summary>Models over which the pages of a summary are spread.</summary>
    public IReadOnlyList<ModelId> SummaryPool { get; }

    /// <summary>Models that make one text of the page summaries, first choice first.</summary>
    public IReadOnlyList<ModelId> SynthesisModels { get; }

    /// <summary>Models that classify what the rules could not, first choice first; empty means nobody is asked.</summary>
    public IReadOnlyList<ModelId> Classifier { get; }

    /// <summary>
    /// Models that review the drafts of tasks with much at stake, first choice first; empty means that drafts are the answers.
    /// </summary>
    public IReadOnlyList<ModelId> Critics { get; internal init; } = [];
    /// <summary>
    /// Below this confidence a task's chain is widened by those of its other likely kinds and of the table's last row. Default
    /// 0.7; 0 never widens.
    /// </summary>
    public decimal WidenBelow { get; internal init; } = 0.7m;

    public Tiers Tiers { get; internal init; } = Tiers.None;

    /// <summary>Models that make JSON of images, first choice first; empty means every model that reads images.</summary>
    public IReadOnlyList<ModelId> Extractors { get; internal init; } = [];

    /// <summary>Tells one text of the file from another; empty for a catalogue that came from no text.</summary>
    public string Fingerprint { get; internal init; } = "";

    public ModelEntry? Find(ModelId id) => _byId.GetValueOrDefault(id);

    /// <summary>
    /// The model itself, or who serves in its place today; null when it has retired without a successor, or is not listed.
    /// </summary>
    public ModelEntry? InService(ModelId id, DateOnly today)
    {
        var entry = Find(id);
        // Successors retire as well. The reader has refused circles, so this ends.
        while (entry is not null && entry.IsRetired(today))
        {
            if (entry.ReplacedBy is null)
                return null;
            // A successor that is not listed cannot be called: then the provider has the last word on whether the model is gone.
            if (Find(entry.ReplacedBy) is not { } successor)
                return entry;
            entry = successor;
        }

        return entry;
    }

    /// <summary>A chain or a pool as it is today: the retired replaced or left out, nobody twice, order kept.</summary>
    public IReadOnlyList<ModelId> InService(IEnumerable<ModelId> ids, DateOnly today) =>
        [.. ids.Select(id => InService(id, today)?.Id).OfType<ModelId>().Distinct()];

    /// <summary>The same models with every limit so many times as high.</summary>
    public ModelCatalogue WithLimitsTimes(int factor)
    {
        var models = Models.Select(model => model with
        {
            Limits = new ModelLimits(model.Limits.RequestsPerMinute * factor, model.Limits.RequestsPerDay * factor,
                model.Limits.TokensPerMinute * factor, model.Limits.TokensPerDay * factor),
        });
        return new ModelCatalogue([.. models], Routes, SummaryPool, SynthesisModels, Classifier)
        {
            WidenBelow = WidenBelow, Tiers = Tiers, Fingerprint = Fingerprint, Critics = Critics, Extractors = Extractors,
        };
    }

    /// <exception cref="CatalogueException">The file is not there, cannot be read or does not fit.</exception>
    public static ModelCatalogue Load(string path) => Parse(ReadText(path), Path.GetFileName(path));

    /// <exception cref="CatalogueException">The file is not there or cannot be read.</exception>
    public static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CatalogueException(
                $"The catalogue '{path}' cannot be read: {fault.Message} Set CATALOGUE_PATH to a file like the project's catalogue.json.");
        }
    }

    /// <param name="json">The file's text.</param>
    /// <param name="name">How the file is called in an error.</param>
    /// <exception cref="CatalogueException">The text does not fit; the message has a sentence for each problem, with its line.</exception>
    public static ModelCatalogue Parse(string json, string name)
    {
        var problems = new CatalogueProblems(name);
        var root = PositionedJson.Read(json, problems);
        var catalogue = root is null ? null : new CatalogueReader(problems).Read(root, FingerprintOf(json));
        problems.ThrowIfAny();
        return catalogue!;
    }

    public static string FingerprintOf(string json) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(json)), 0, 6);
}
