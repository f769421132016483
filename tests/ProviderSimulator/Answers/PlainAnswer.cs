using System.Text;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Answers;

/// <summary>
/// Prose made from the prompt. A long text gets an extractive summary (heading, first sentences, some from the middle, the last), so that
/// map-reduce over pages carries something true of each page; a short one gets a line that quotes it.
/// </summary>
internal static class PlainAnswer
{
    private const int LongTextChars = 400;
    private const int MostWords = 120;
    private const int MostWordsPerSentence = 24;
    private const int QuoteChars = 160;
    private const int FirstSentences = 3;
    private const int MiddleSentences = 3;

    public static string Write(ChatRequest request, int tokenBudget)
    {
        var text = request.UserText.AsSpan().Trim();
        return request.Hash.Marker + " " + (text.Length < LongTextChars ? Quote(text) : Summarise(text.ToString(), tokenBudget));
    }

    public static string Quote(ReadOnlySpan<char> text)
    {
        var quote = text.Trim();
        quote = quote.Length <= QuoteChars ? quote : quote[..QuoteChars];
        return $"You asked: \"{quote.ToString().ReplaceLineEndings(" ")}\". This is the simulated reply to it.";
    }

    public static string Summarise(string text, int tokenBudget)
    {
        // Six tokens in ten make a word, roughly; the marker before it takes its share.
        var wordBudget = Math.Clamp((tokenBudget - 16) * 6 / 10, 8, MostWords);
        var sentences = Sentences.In(text);
        var summary = new StringBuilder();
        if (Sentences.Heading(text) is { } heading)
        {
            wordBudget -= Append(summary, heading, wordBudget);
            summary.Append(':');
        }

        foreach (var at in Picks(sentences.Count))
        {
            if (wordBudget < 4)
            {
                break;
            }

            wordBudget -= Append(summary, text[sentences[at]], wordBudget);
        }

        return summary.ToString();
    }

    private static IEnumerable<int> Picks(int count)
    {
        var picks = new SortedSet<int>();
        for (var at = 0; at < Math.Min(FirstSentences, count); at++)
        {
            picks.Add(at);
        }

        for (var at = 1; at <= MiddleSentences && count > FirstSentences; at++)
        {
            picks.Add(Math.Min(count - 1, FirstSentences + ((count - FirstSentences) * at / (MiddleSentences + 1))));
        }

        if (count > 0)
        {
            picks.Add(count - 1);
        }

        return picks;
    }

    private static int Append(StringBuilder summary, string sentence, int wordBudget)
    {
        var words = sentence.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var taken = Math.Min(words.Length, Math.Min(MostWordsPerSentence, wordBudget));
        summary.Append(summary.Length > 0 ? " " : "").AppendJoin(' ', words.AsSpan(0, taken)!);
        if (taken < words.Length)
        {
            summary.Append('…');
        }

        return taken;
    }
}
