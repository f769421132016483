using System.Text.RegularExpressions;

namespace ProviderSimulator.Answers;

/// <summary>
/// What a small classifying model would make of a text, by its words. Deterministic, so that a test can choose the route.
/// </summary>
internal static partial class Keywords
{
    private const int ReadChars = 4000;
    private const int LowComplexityWords = 40;
    private const int MediumComplexityWords = 400;

    private static readonly (string Task, string Stem, Regex Words)[] Tasks =
    [
        ("code", "cod", CodeWords()),
        ("summarization", "summar", SummaryWords()),
        ("reasoning", "reason", ReasoningWords()),
        ("analysis", "analy", AnalysisWords()),
        ("ideation", "idea", IdeaWords()),
        ("classification", "classif", LabelWords()),
    ];

    /// <summary>
    /// The task and the stem its name is recognised by in somebody else's list of names; null when no word gives it away.
    /// </summary>
    public static (string Task, string Stem)? Task(string text)
    {
        var head = Head(text);
        foreach (var (task, stem, words) in Tasks)
        {
            if (words.IsMatch(head))
            {
                return (task, stem);
            }
        }

        return null;
    }

    public static string Category(string text) => Task(text)?.Task switch
    {
        "ideation" => "creative",
        "analysis" or "reasoning" or "summarization" or "code" => "analytical",
        _ => "transactional",
    };

    public static string Complexity(string text)
    {
        var words = text.AsSpan().Count(' ') + 1;
        var level = words <= LowComplexityWords ? 0 : words <= MediumComplexityWords ? 1 : 2;
        level += HardWords().IsMatch(Head(text)) ? 2 : Task(text)?.Task is "reasoning" or "analysis" or "code" ? 1 : 0;
        return level switch { 0 => "low", 1 => "medium", _ => "high" };
    }

    public static string Sentiment(string text)
    {
        var head = Head(text);
        return (GoodWords().Count(head) - BadWords().Count(head)) switch { > 0 => "positive", < 0 => "negative", _ => "neutral" };
    }

    public static bool RequiresContext(string text) => ContextWords().IsMatch(Head(text));

    /// <summary>0.80 to 0.99 when a word gave the task away, 0.50 to 0.79 when none did.</summary>
    public static double Confidence(string text, long hash) =>
        Task(text) is null ? 0.5 + (hash % 30 / 100.0) : 0.8 + (hash % 20 / 100.0);

    /// <summary>What stands between tags or triple quotes, when a prompt wraps the text to judge; else all of it.</summary>
    public static string Subject(string text)
    {
        var wrapped = Wrapped().Match(text);
        return wrapped.Success ? wrapped.Groups["inner"].Value : text;
    }

    private static string Head(string text) => text.Length <= ReadChars ? text : text[..ReadChars];

    private const RegexOptions Loose = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    [GeneratedRegex(@"```|\b(functions?|bugs?|compil(e|es|er|ation)|stack ?trace|exceptions?|refactor\w*|unit tests?)\b", Loose)]
    private static partial Regex CodeWords();

    [GeneratedRegex(@"\bsummar|\btl;?dr\b", Loose)]
    private static partial Regex SummaryWords();

    [GeneratedRegex(@"\b(prove|why|how many|deduce|puzzle)\b", Loose)]
    private static partial Regex ReasoningWords();

    [GeneratedRegex(@"\banaly|\bcompar(e|es|ison)\b|\btrade-?offs?\b", Loose)]
    private static partial Regex AnalysisWords();

    [GeneratedRegex(@"\b(ideas?|story|stories|poems?|brainstorm\w*|slogans?)\b", Loose)]
    private static partial Regex IdeaWords();

    [GeneratedRegex(@"\b(label\w*|classif\w+|sentiment|categori[sz]e)\b", Loose)]
    private static partial Regex LabelWords();

    [GeneratedRegex(@"\b(architecture|theorem|multi-?step|formally|in depth|step by step)\b", Loose)]
    private static partial Regex HardWords();

    [GeneratedRegex(@"\b(as (we|I) (said|discussed)|previous(ly)?|earlier|above|continue|last time)\b", Loose)]
    private static partial Regex ContextWords();

    [GeneratedRegex(@"\b(good|great|love|excellent|happy|best|wonderful)\b", Loose)]
    private static partial Regex GoodWords();

    [GeneratedRegex(@"\b(bad|awful|hate|terrible|angry|worst|broken)\b", Loose)]
    private static partial Regex BadWords();

    [GeneratedRegex("<(?<tag>[a-z_]+)>(?<inner>.+?)</\\k<tag>>|\"\"\"(?<inner>.+?)\"\"\"", Loose | RegexOptions.Singleline)]
    private static partial Regex Wrapped();
}
