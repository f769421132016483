namespace LlmQueue.Catalogue;

/// <summary>The retirement of a model in use by its provider.</summary>
/// <param name="Model">The model.</param>
/// <param name="Retires">The first day without it.</param>
/// <param name="Days">Days until then; 0 or less when it is gone.</param>
/// <param name="Successor">Who serves in its place from then on; null when nobody is named.</param>
/// <param name="Sentence">What happens, and what to do.</param>
public sealed record Retirement(string Model, DateOnly Retires, int Days, string? Successor, string Sentence)
{
    /// <summary>Somebody should look at the catalogue: it is coming, or it has come and nobody takes its place.</summary>
    public bool IsWarning => Days > 0 || Successor is null;
}

/// <summary>
/// Finds models in use that retire soon or have retired: those that routes, pools and roles name, themselves or as a successor. Pure.
/// </summary>
public static class RetirementRule
{
    /// <summary>Providers publish retirements weeks ahead; two months leave time to try the successor.</summary>
    public const int SoonInDays = 60;

    /// <summary>Soonest first.</summary>
    public static IReadOnlyList<Retirement> Of(ModelCatalogue catalogue, DateOnly today) =>
        [.. Named(catalogue).Select(catalogue.Find).OfType<ModelEntry>()
            .Where(m => m.Retires <= today.AddDays(SoonInDays)).Select(m => Of(m, catalogue, today))
            .OrderBy(r => r.Days).ThenBy(r => r.Model, StringComparer.Ordinal)];

    private static Retirement Of(ModelEntry model, ModelCatalogue catalogue, DateOnly today)
    {
        var day = model.Retires!.Value;
        var days = day.DayNumber - today.DayNumber;
        // Whoever serves on that day, or today if the day has passed: a successor may be gone before its predecessor.
        var heir = catalogue.InService(model.Id, days > 0 ? day : today)?.Id.ToString();
        var sentence = (days > 0, heir) switch
        {
            (true, null) => $"{model.Id} retires in {days} {(days == 1 ? "day" : "days")} ({day:yyyy-MM-dd}) and nobody is named to take "
                + "its place: name a successor ('replacedBy') in the catalogue.",
            (true, _) => $"{model.Id} retires in {days} {(days == 1 ? "day" : "days")} ({day:yyyy-MM-dd}); then {heir} takes its place.",
            (false, null) => $"{model.Id} retired on {day:yyyy-MM-dd} without a successor, but routes, pools or roles still name it; "
                + "take it out of them, or name a 'replacedBy'.",
            (false, _) => $"{model.Id} retired on {day:yyyy-MM-dd}; {heir} serves in its place.",
        };
        return new Retirement(model.Id.ToString(), day, days, heir, sentence);
    }

    private static IEnumerable<ModelId> Named(ModelCatalogue catalogue)
    {
        var named = new HashSet<ModelId>(catalogue.Routes.SelectMany(r => r.Models).Concat(catalogue.SummaryPool)
            .Concat(catalogue.SynthesisModels).Concat(catalogue.Classifier).Concat(catalogue.Critics)
            .Concat(catalogue.Extractors));
        foreach (var first in named.ToList())
            for (var next = catalogue.Find(first)?.ReplacedBy; next is not null && named.Add(next);)
                next = catalogue.Find(next)?.ReplacedBy;
        return named;
    }
}
