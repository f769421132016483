namespace LlmQueue.Catalogue;

/// <summary>
/// Checks of a request that need the catalogue only: unknown models, prompts that are too long. The worker decides the rest, because it
/// knows the keys and estimates tokens properly.
/// </summary>
public sealed class ModelChecks(CurrentCatalogue current)
{
    /// <summary>A prompt that fits no call is read in no more parts than this; what is longer belongs into a summary of pages.</summary>
    public const int MostParts = 64;

    private const int Shown = 6;

    /// <summary>No tokenizer needs fewer tokens than this for a text in words: what is too large by this measure is too large.</summary>
    private const int MostCharactersPerToken = 6;

    /// <summary>
    /// What OpenAI's clients write, as the queue names it: <c>groq:…</c> as it is, the provider's own name
    /// (<c>llama-3.3-70b-versatile</c>) as the first model of the catalogue that is called so, <c>auto</c> as none: then the queue
    /// chooses. False when no model can be meant.
    /// </summary>
    public bool TryName(string text, out string? model)
    {
        (text, model) = (text.Trim(), null);
        var catalogue = current.Now;
        if (text is "auto" or "default")
            return true;
        model = (ModelId.TryParse(text, out var id) ? catalogue.Find(id) : null)?.Id.ToString()
            ?? catalogue.Models.FirstOrDefault(m => m.Id.Name == text)?.Id.ToString();
        return model is not null;
    }

    /// <summary>Why a named model cannot be meant, as a sentence; null when it is known or none is named.</summary>
    public string? WhyUnknown(string? model)
    {
        if (string.IsNullOrWhiteSpace(model))
            return null;
        var (text, catalogue) = (model.Trim(), current.Now);
        if (ModelId.TryParse(text, out var id) && catalogue.Find(id) is not null)
            return null;
        // "qwen/qwen3-32b" is what people paste from the provider's page.
        if (catalogue.Models.FirstOrDefault(m => m.Id.Name == text) is { } meant)
            return $"The model '{text}' is not in the catalogue; models are named 'provider:model': did you mean '{meant.Id}'?";
        var all = catalogue.Models.Select(m => m.Id).ToList();
        var own = all.Where(known => known.Provider == id?.Provider).Select(known => known.Name).ToList();
        var near = NearestName.Question(text, all.Select(known => known.ToString()));
        var expected = own.Count > 0
            ? $"known models of {id!.Provider} are "
                + $"{string.Join(", ", own.Take(Shown))}{(own.Count > Shown ? $" and {own.Count - Shown} more" : "")}"
            : $"known providers are {string.Join(", ", all.Select(known => known.Provider).Distinct())}, and a model is named "
                + $"'provider:model', for example '{all[0]}'";
        return $"The model '{(text.Length > 100 ? text[..100] + "…" : text)}' is not in the catalogue; "
            + $"{expected}{near}{(near.Length == 0 ? "." : "")}";
    }

    /// <summary>Why a prompt fits no model, or not the one that alone may answer; null when it may fit.</summary>
    /// <param name="characters">The prompt's length.</param>
    /// <param name="model">The model that alone may answer; null where the queue chooses.</param>
    /// <param name="inParts">It may be read in parts, as tasks and lines of batches are; a client of chat completions is told at once that
    /// it is too long, which it knows what to do about.</param>
    public string? WhyTooLarge(long characters, string? model, bool inParts)
    {
        var catalogue = current.Now;
        var named = ModelId.TryParse(model?.Trim(), out var id) ? catalogue.Find(id) : null;
        var largest = named ?? catalogue.Models.MaxBy(m => m.Context)!;
        var tokens = characters / MostCharactersPerToken;
        if (tokens <= (inParts ? (long)largest.Context * MostParts : largest.Context))
            return null;
        var limit = named is null
            ? $"the largest context of any model in the catalogue is {largest.Context:N0} ({largest.Id})"
            : $"the context of '{largest.Id}' is {largest.Context:N0}";
        var parts = inParts ? $", and a prompt is read in at most {MostParts} parts" : "";
        return $"The prompt has {characters:N0} characters, which are at least {tokens:N0} tokens; {limit}{parts}. "
            + "Split it, or hand its pages in as a summary (POST /v1/summaries).";
    }
}
