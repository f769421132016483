using System.Text;
using ProviderSimulator.Answers;

namespace LlmQueue.Bench.Drain;

/// <summary>English of exactly so many tokens as the simulator counts them, no two prompts alike: the queue has to learn what they cost.</summary>
internal static class Prompts
{
    private static readonly string[] Words =
        """
        the report says that our northern office delivered fewer parcels in March because two bridges were closed for repairs and the drivers had to take
        longer roads through the hills while customers kept asking when their orders would arrive so the manager decided to hire another van from a company
        nearby which turned out cheaper than expected although its engine needed attention every second week and nobody could explain what caused that
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    // A prompt is one message.
    private const int Frame = TokenCounter.PerPrompt + TokenCounter.PerMessage;

    public static string Of(int tokens, int number, Random random)
    {
        var text = new StringBuilder($"Analyse the following text, number {number}:");
        var used = Frame + TokenCounter.Count(text.ToString());
        while (true)
        {
            var word = Words[random.Next(Words.Length)];
            var cost = TokenCounter.Count(word);
            if (used + cost > tokens)
                break;
            text.Append(' ').Append(word);
            used += cost;
        }

        for (; used < tokens; used++)
            text.Append(" so");
        return text.ToString();
    }
}
