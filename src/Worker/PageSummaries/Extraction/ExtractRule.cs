using System.Collections.Frozen;
using System.Text;

namespace LlmQueue.Worker.PageSummaries.Extraction;

/// <summary>The limits of an extract.</summary>
/// <param name="MostCharacters">Its length; a script without spaces says about three times as much in one, and gets a third.</param>
/// <param name="MostSentences">Sentences that are compared with each other: time grows with its square. What is above is thinned out
/// evenly, the beginning less.</param>
/// <param name="Question">What the reader wants to know; null for a plain summary.</param>
public sealed record ExtractLimits(int MostCharacters, int MostSentences = 300, string? Question = null);

/// <summary>
/// A summary without a model: the sentences that most others resemble, earlier ones preferred, in the order of the text. LexRank (Erkan and
/// Radev 2004) whose walk restarts at a sentence by its position and by what it has in common with the question, which counts once more in
/// the end; no sentence is taken that says what another one has said. Pure.
/// </summary>
public static class ExtractRule
{
    private const double Damping = 0.85;
    private const double TooAlike = 0.55;
    private const int Rounds = 25;
    private const int MostTerms = 40;
    private const int Stem = 6;

    /// <summary>
    /// The first sentence's weight over one far from the beginning. Leads are most of what a reader of a page would underline.
    /// </summary>
    private const double LeadBonus = 3;

    /// <summary>What a sentence that has all the question's words is preferred by.</summary>
    private const double QuestionBonus = 8;

    public static string Decide(string text, ExtractLimits limits)
    {
        var all = Sentences.Of(text);
        if (all.Count == 0)
            return "";
        var chosen = Thinned(all.Count, limits.MostSentences);
        var sentences = chosen.ConvertAll(i => all[i]);
        var words = sentences.ConvertAll(Words);
        var stop = StopWords.Of([.. words.SelectMany(w => w)]);
        var terms = words.ConvertAll(w => Terms(w, stop));
        var vectors = Vectors(terms);
        var question = limits.Question is null ? [] : Terms(Words(limits.Question), stop).ToFrozenSet(StringComparer.Ordinal);
        var asked = terms.ConvertAll(t => question.Count == 0
            ? 1
            : 1 + (QuestionBonus * t.Distinct(StringComparer.Ordinal).Count(question.Contains) / question.Count));
        var scores = Scores(vectors, Prior(chosen, all.Count, asked)).Zip(asked, (score, factor) => score * factor).ToArray();
        var wide = sentences.Sum(s => s.Count(Sentences.IsWide)) > sentences.Sum(s => s.Length) / 3;
        var picked = Pick(sentences, vectors, scores, wide ? limits.MostCharacters / 3 : limits.MostCharacters);
        return string.Join(wide ? "" : " ", picked.Order().Select(i => sentences[i]));
    }

    /// <summary>All of them, or the first third and evenly chosen ones of the rest.</summary>
    private static List<int> Thinned(int count, int most)
    {
        if (count <= most)
            return [.. Enumerable.Range(0, count)];
        var lead = most / 3;
        var rest = most - lead;
        return [.. Enumerable.Range(0, lead), .. Enumerable.Range(0, rest).Select(i => lead + (int)((long)i * (count - lead) / rest))];
    }

    /// <summary>Words in lower case; pairs of characters where the script has no spaces.</summary>
    private static List<string> Words(string sentence)
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
    private static List<string> Terms(List<string> words, FrozenSet<string> stop) =>
        [.. words.Where(w => !stop.Contains(w) && (w.Length > 1 || char.IsDigit(w[0])))
            .Select(w => w.Length > Stem ? w[..Stem] : w).Take(MostTerms)];

    /// <summary>Each sentence as a unit vector: how often it has a term, times how few other sentences have it.</summary>
    private static List<Dictionary<int, double>> Vectors(List<List<string>> sentences)
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

    private static double[] Prior(List<int> places, int count, List<double> asked)
    {
        var prior = new double[places.Count];
        for (var i = 0; i < prior.Length; i++)
            prior[i] = asked[i] * (1 + (LeadBonus * Math.Exp(-places[i] / Math.Max(3.0, count / 10.0))));
        var sum = prior.Sum();
        return Array.ConvertAll(prior, p => p / sum);
    }

    private static double[] Scores(List<Dictionary<int, double>> vectors, double[] prior)
    {
        var likeness = Likeness(vectors);
        var scores = (double[])prior.Clone();
        for (var round = 0; round < Rounds; round++)
        {
            var next = Array.ConvertAll(prior, p => p * (1 - Damping));
            for (var i = 0; i < scores.Length; i++)
            {
                var total = likeness[i].Sum(l => l.Weight);
                if (total == 0)
                {
                    // It resembles nobody: its score goes back to where walks begin.
                    for (var j = 0; j < next.Length; j++)
                        next[j] += Damping * scores[i] * prior[j];
                    continue;
                }

                foreach (var (other, weight) in likeness[i])
                    next[other] += Damping * scores[i] * weight / total;
            }

            scores = next;
        }

        return scores;
    }

    private static List<(int Other, double Weight)>[] Likeness(List<Dictionary<int, double>> vectors)
    {
        var likeness = Array.ConvertAll(new int[vectors.Count], _ => new List<(int Other, double Weight)>());
        for (var i = 0; i < vectors.Count; i++)
            for (var j = i + 1; j < vectors.Count; j++)
                if (Cosine(vectors[i], vectors[j]) is > 0.05 and var weight)
                {
                    likeness[i].Add((j, weight));
                    likeness[j].Add((i, weight));
                }

        return likeness;
    }

    private static double Cosine(Dictionary<int, double> one, Dictionary<int, double> other)
    {
        var (small, large) = one.Count < other.Count ? (one, other) : (other, one);
        var product = 0.0;
        foreach (var (term, value) in small)
            if (large.TryGetValue(term, out var twin))
                product += value * twin;
        return product;
    }

    private static List<int> Pick(List<string> sentences, List<Dictionary<int, double>> vectors, double[] scores, int most)
    {
        var (picked, length) = (new List<int>(), 0);
        foreach (var i in Enumerable.Range(0, sentences.Count).OrderByDescending(i => scores[i]).ThenBy(i => i))
        {
            if (length + sentences[i].Length > most || picked.Exists(p => Cosine(vectors[p], vectors[i]) > TooAlike))
                continue;
            picked.Add(i);
            length += sentences[i].Length + 1;
        }

        // One sentence too long for the room is better than none.
        return picked.Count > 0 ? picked : [Array.IndexOf(scores, scores.Max())];
    }
}
