namespace ProviderSimulator.Sorting;

/// <summary>A text as a person labelled it.</summary>
internal sealed record SortingLabel(string Text, string Task, string Complexity);

/// <summary>What the small model makes of one request.</summary>
internal readonly record struct Sorted(
    string Task, string Alternative, string Complexity, bool RequiresContext, string Category, double Confidence);

/// <summary>
/// Plays a small classifying model, and it errs. Texts that begin with one of its labels it knows, as a model knows its language; of others
/// it adds up the words that it knows, earlier ones counting more. How often it errs is set; on which texts follows from the seed and the
/// text, so that a run can be repeated. It shares nothing with whoever asks it.
/// </summary>
internal sealed record Sorter(int Seed, double ErrorRate)
{
    /// <summary>Beginnings of texts, with what a person says they are.</summary>
    public IReadOnlyList<SortingLabel> Labels { get; init; } = [];

    private const int ReadWords = 120;

    public Sorted Sort(string text, int turnsBefore)
    {
        var words = text.ToLowerInvariant().Split(
            [' ', '\n', '\t', ',', '.', ':', ';', '!', '?', '(', ')', '"', '\'', '’', '«', '»', '¿', '¡', '/', '`'],
            StringSplitOptions.RemoveEmptyEntries);
        var scores = Score(words, text);
        var label = Labels.FirstOrDefault(known => text.StartsWith(known.Text, StringComparison.Ordinal));
        if (label is not null)
        {
            scores[label.Task] = scores.Values.Max() + 5;
        }

        var ranked = scores.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToList();
        var (best, second) = (ranked[0], ranked[1]);
        var margin = best.Value <= 0 ? 0 : (best.Value - second.Value) / (best.Value + 1);
        var confidence = best.Value <= 0 ? 0.4 : 0.55 + (0.43 * Math.Min(1, margin * 1.3));
        var dice = new Random(unchecked((int)Wire.PromptHash.Of(text).Value ^ (Seed * 7919)));
        var (task, other) = (best.Key, second.Value > 0 ? second.Key : "none");
        if (dice.NextDouble() < ErrorRate)
        {
            // Half of its errors it is sure of, as small models are.
            (task, other) = (second.Value > 0 ? second.Key : SorterWords.Kinds[dice.Next(SorterWords.Kinds.Length)], best.Key);
            confidence = dice.NextDouble() < 0.5 ? confidence : Math.Min(confidence, 0.6);
        }

        var level = label is null ? Level(words, task) : Array.IndexOf(["low", "medium", "high"], label.Complexity);
        if (dice.NextDouble() < ErrorRate)
        {
            level = level == 1 ? dice.Next(2) * 2 : 1;
        }

        return new Sorted(task, other == task ? "none" : other, level switch { <= 0 => "low", 1 => "medium", _ => "high" },
            turnsBefore > 0 && words.Length < 25, Category(task), Math.Round(Math.Clamp(confidence, 0.3, 0.98), 2));
    }

    private static Dictionary<string, double> Score(string[] words, string text)
    {
        var scores = SorterWords.Kinds.ToDictionary(kind => kind, _ => 0.0);
        for (var at = 0; at < Math.Min(words.Length, ReadWords); at++)
        {
            // The first dozen words say what is wanted; what follows is mostly material.
            var place = at < 12 ? 1.0 : at < 40 ? 0.5 : 0.2;
            foreach (var (kind, weight, stems) in SorterWords.Table)
            {
                if (Array.Exists(stems, stem => words[at].StartsWith(stem, StringComparison.Ordinal)))
                {
                    scores[kind] += weight * place;
                }
            }
        }

        scores["code"] += text.Contains("```", StringComparison.Ordinal)
            || text.Contains("();", StringComparison.Ordinal)
            || text.Contains("SELECT ", StringComparison.Ordinal)
            ? 4
            : 0;
        scores["question"] += words.Length < 18 && text.TrimEnd().EndsWith('?') ? 1.5 : 0;
        return scores;
    }

    private static int Level(string[] words, string task)
    {
        var hard = words.Count(word => Array.Exists(SorterWords.Hard, stem => word.StartsWith(stem, StringComparison.Ordinal)));
        var easy = words.Count(word => Array.Exists(SorterWords.Easy, stem => word.StartsWith(stem, StringComparison.Ordinal)));
        var level = task switch
        {
            "question" or "classification" => 0,
            "architecture" or "reasoning" => 1.5,
            "multilingual" or "summarization" => 0.6,
            _ => 1,
        };
        level += (hard * 0.6) - (easy * 0.5) + (words.Length > 60 ? 0.5 : 0) - (words.Length < 9 ? 0.5 : 0);
        return level switch { < 0.5 => 0, < 1.75 => 1, _ => 2 };
    }

    private static string Category(string task) => task switch
    {
        "creative" or "ideation" => "creative",
        "question" or "classification" or "multilingual" => "transactional",
        _ => "analytical",
    };
}
