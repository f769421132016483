using System.Text.RegularExpressions;

namespace LlmQueue.Worker.Classification;

/// <summary>Scores how hard a request is, by its words and its shape: points above and below a medium one.</summary>
internal static partial class ComplexityWords
{
    public static int Points(string text) =>
        Count(Hard(), text, 2) - Count(Easy(), text, 1)
        + (Count(Items(), text, 4) >= 4 ? 1 : 0)
        + (Count(QuestionMarks(), text, 3) >= 3 ? 1 : 0);

    private static int Count(Regex words, string text, int most)
    {
        var count = 0;
        foreach (var _ in words.EnumerateMatches(text))
            if (++count == most)
                break;
        return count;
    }

    private const RegexOptions Plain = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    [GeneratedRegex(@"\b(in[- ]depth|in detail|detailed|thorough\w*|comprehensive\w*|rigorous\w*|complex|step[- ]by[- ]step|trade-?offs?|edge cases|justify|prove|from scratch|end[- ]to[- ]end|production[- ]ready|distributed|concurren\w*|scalable|ausführlich\w*|detailliert\w*|gründlich\w*|umfassend\w*|komplex\w*|begründe\w*|schritt für schritt|beweis\w*|abwägung\w*|skalierbar\w*|en détail|détaillée?s?|approfondie?s?|complexe|exhaustive?|justifie\w*|étape par étape|démontr\w*|en detalle|detallad[oa]s?|exhaustiv[oa]|a fondo|complej[oa]|justific\w*|paso a paso|demuestr\w*)\b", Plain)]
    private static partial Regex Hard();

    [GeneratedRegex(@"\b(briefly|in one (word|sentence)|one word|short(ly)?|quick(ly)?|simple|simply|just|yes or no|kurz|in einem (wort|satz)|einfach|schnell|nur|ja oder nein|brièvement|en (un mot|une phrase)|simple(ment)?|rapidement|juste|oui ou non|brevemente|en una (palabra|frase)|sencill[oa]|rápid[oa]|solo|sí o no)\b", Plain)]
    private static partial Regex Easy();

    [GeneratedRegex(@"^\s*([-*•]|\d+[.)])\s", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Items();

    [GeneratedRegex(@"\?")]
    private static partial Regex QuestionMarks();
}
