using System.Collections.Frozen;
using System.Text;

namespace LlmQueue.Worker.PageSummaries.Extraction;

/// <summary>Sentences as vectors of their terms (TF-IDF), and how alike two of them are.</summary>
internal static class SentenceVectors
{
    private const int MostTerms = 40;
    private const int Stem = 6;

    /// <summary>Words in lower case; pairs of characters where the script has no spaces.</summary>
    public static List<string> Words(string sentence)
    {
        var (words, word) = (new List<string>(), new StringBuilder());
        var before = '\0';
        foreach (var c in sentence)
        {
            if (Sentences.IsWide(c) && char.IsLetter(c))
            {
                Close();
                if (before != '\0')
                    words.Add($"{before}{c}");
                before = c;
                continue;
            }

            before = '\0';
            if (char.IsLetterOrDigit(c)
                || char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.NonSpacingMark
                    or System.Globalization.UnicodeCategory.SpacingCombiningMark)
                word.Append(char.ToLowerInvariant(c));
            else
                Close();
        }

        Close();
        return words;

        void Close()
        {
            if (word.Length > 0)
                words.Add(word.ToString());
            word.Clear();
        }
    }

    /// <summary>A word's beginning stands for its forms: the poor man's stemmer, in every language alike.</summary>
    public static List<string> Terms(List<string> words, FrozenSet<string> stop) =>
        [.. words.Where(w => !stop.Contains(w) && (w.Length > 1 || char.IsDigit(w[0])))
            .Select(w => w.Length > Stem ? w[..Stem] : w).Take(MostTerms)];

    /// <summary>Each sentence as a unit vector: how often it has a term, times how few other sentences have it.</summary>
    public static List<Dictionary<int, double>> Vectors(List<List<string>> sentences)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var seenIn = new List<int>();
        var counted = sentences.ConvertAll(terms =>
        {
            var counts = new Dictionary<int, double>();
            foreach (var term in terms)
            {
                if (!numbers.TryGetValue(term, out var number))
                {
                    numbers[term] = number = seenIn.Count;
                    seenIn.Add(0);
                }

                if (counts.TryAdd(number, 1))
                    seenIn[number]++;
                else
                    counts[number]++;
            }

            return counts;
        });
        foreach (var vector in counted)
        {
            foreach (var term in vector.Keys.ToList())
                vector[term] *= Math.Log(1 + ((double)sentences.Count / seenIn[term]));
            var length = Math.Sqrt(vector.Values.Sum(v => v * v));
            foreach (var term in vector.Keys.ToList())
                vector[term] /= length;
        }

        return counted;
    }

    public static double Cosine(Dictionary<int, double> one, Dictionary<int, double> other)
    {
        var (small, large) = one.Count < other.Count ? (one, other) : (other, one);
        var product = 0.0;
        foreach (var (term, value) in small)
            if (large.TryGetValue(term, out var twin))
                product += value * twin;
        return product;
    }
}
