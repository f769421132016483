using System.Text;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Routing;

/// <summary>One task of the day, as its producer sends it; what it really is stands beside it.</summary>
internal sealed record DayTask(Guid Id, string Prompt, string? Kind, string? Complexity, string Priority, bool HighStakes, int MaxOutputTokens, string TrueKind, string TrueComplexity);

/// <summary>
/// A day's mixed work, drawn from a seed: labelled prompts in four languages with material of many sizes behind them. A tenth of the producers say what a task is and how hard,
/// a fifth say what it is, the others nothing; every tenth prompt has been asked before.
/// </summary>
internal static class Day
{
    /// <summary>How many of a hundred tasks are of a kind, how many words of material come with one on average, and how long its answer may be.</summary>
    private static readonly (string Kind, int Share, int Words, int Output)[] Mix =
    [
        ("question", 22, 0, 300), ("summarization", 16, 1200, 400), ("classification", 14, 120, 50), ("code", 14, 400, 1500), ("analysis", 9, 900, 1200),
        ("multilingual", 7, 250, 600), ("creative", 5, 20, 1200), ("ideation", 5, 40, 500), ("reasoning", 5, 30, 1500), ("architecture", 3, 150, 2000),
    ];

    private static readonly string[] Words =
        """
        the report says that our northern office delivered fewer parcels in march because two bridges were closed for repairs and the drivers had to take
        longer roads through the hills while customers kept asking when their orders would arrive so the manager hired another van from a company nearby
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    public static IReadOnlyList<(string Kind, string Complexity, string Prompt)> Labelled { get; } =
        [.. File.ReadAllLines(Path.Combine(BuiltPrograms.Repository, "tests", "Queue.Tests", "Classification", "stage0.tsv")).Select(line => line.Split('\t')).Select(c => (c[1], c[2], c[3]))];

    public static IReadOnlyList<DayTask> Of(int tasks, int seed)
    {
        var random = new Random(seed);
        var labelled = Labelled.ToLookup(one => one.Kind);
        var day = new List<DayTask>();
        for (var i = 0; i < tasks; i++)
        {
            if (day.Count > 0 && random.Next(10) == 0)
            {
                day.Add(day[random.Next(day.Count)] with { Id = Guid.CreateVersion7() });
                continue;
            }

            var (kind, _, words, output) = Drawn(random.Next(100));
            var chosen = labelled[kind].ElementAt(random.Next(labelled[kind].Count()));
            var told = random.Next(10);
            day.Add(new DayTask(Guid.CreateVersion7(), $"{chosen.Prompt}{Material(words, random)}\n(ref. {i})", told < 3 ? kind : null, told < 1 ? chosen.Complexity : null,
                random.Next(10) switch { < 3 => "interactive", < 8 => "normal", _ => "batch" }, random.Next(100) < 3, output, kind, chosen.Complexity));
        }

        return day;
    }

    private static (string Kind, int Share, int Words, int Output) Drawn(int place)
    {
        foreach (var row in Mix)
            if ((place -= row.Share) < 0)
                return row;
        throw new InvalidOperationException("The shares of the mix do not add up to 100.");
    }

    /// <summary>As many small ones as large ones by order of magnitude, from a quarter of the mean to four times as much.</summary>
    private static string Material(int mean, Random random)
    {
        var text = new StringBuilder();
        for (var left = (int)(mean * Math.Pow(4, (random.NextDouble() * 2) - 1)); left > 0; left--)
            text.Append(text.Length == 0 ? "\n\n" : " ").Append(Words[random.Next(Words.Length)]);
        return text.ToString();
    }
}
