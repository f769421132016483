using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.PageSummaries.Extraction;

namespace LlmQueue.Worker.Passes;

/// <summary>A turn that was answered: what was asked, and the answer.</summary>
public sealed record Turn(string Asked, string Answer);

/// <summary>A task with the turns before it.</summary>
/// <param name="Messages">What is sent.</param>
/// <param name="Verbatim">Turns that stand in it as they were.</param>
/// <param name="Summarised">Older turns, of which the decisions so far are told.</param>
public sealed record Continued(IReadOnlyList<LlmMessage> Messages, int Verbatim, int Summarised);

/// <summary>
/// Chooses which earlier turns of a conversation go with its next turn: up to ten turns as they were, and where there are more, or too few
/// tokens, the decisions so far of the older ones. Whichever model takes over then knows what was settled, and the prompt does not grow for
/// ever. Pure.
/// </summary>
public static class ConversationRule
{
    /// <summary>A conversation of more turns than this is handed over with a summary.</summary>
    public const int MostVerbatim = 10;

    /// <summary>
    /// Of a conversation that is summarised, the newest turns still go as they were: "the second one" refers to something.
    /// </summary>
    public const int KeptVerbatim = 4;

    private const int LongestAsked = 160, LongestDecision = 300, MostDecisions = 40;

    // Words that introduce a decision, in the languages the queue is classified in.
    private static readonly string[] Settling =
    [
        "decid", "agree", "settled", "chose", "we will", "we'll", "let's", "must", "never", "always", "from now on", "conclusion",
        "therefore", "recommend", "is called", "entschied", "beschlossen", "vereinbart", "festgelegt", "nehmen wir", "immer", "also",
        "empfehl", "décid", "choisi", "convenu", "donc", "toujours", "jamais", "recommand", "decidid", "acordad", "elegi", "siempre",
        "nunca", "recomiend", "решен", "решили", "договор", "выбра", "всегда", "никогда", "рекоменд",
    ];

    /// <param name="earlier">The turns before, oldest first.</param>
    /// <param name="own">The task's own messages.</param>
    /// <param name="room">Tokens, as estimated, that the earlier turns may take.</param>
    public static Continued Compose(IReadOnlyList<Turn> earlier, IReadOnlyList<LlmMessage> own, int room)
    {
        var left = (double)room;
        var verbatim = 0;
        for (var most = earlier.Count > MostVerbatim ? KeptVerbatim : MostVerbatim; verbatim < Math.Min(most, earlier.Count); verbatim++)
        {
            var turn = earlier[earlier.Count - 1 - verbatim];
            // A fifth is left for what does not fit.
            if ((left -= Cost(turn.Asked) + Cost(turn.Answer)) < (verbatim + 1 < earlier.Count ? room / 5.0 : 0))
                break;
        }

        var older = earlier.Count - verbatim;
        var summary = older == 0 ? null : Summary([.. earlier.Take(older)], room / 5.0);
        var messages = new List<LlmMessage>(own.TakeWhile(m => m.Role is "system" or "developer"));
        var instructions = messages.Count;
        if (summary is not null)
            messages.Add(new LlmMessage("system", summary));
        foreach (var turn in earlier.Skip(older))
            messages.AddRange([new LlmMessage("user", turn.Asked), new LlmMessage("assistant", turn.Answer)]);
        messages.AddRange(own.Skip(instructions));
        return new Continued(messages, verbatim, older);
    }

    /// <summary>What was asked and what was settled, a line a turn; where there is no room for all, the newest.</summary>
    private static string? Summary(IReadOnlyList<Turn> turns, double room)
    {
        var lines = new List<string>();
        for (var i = turns.Count - 1; i >= 0 && lines.Count < MostDecisions; i--)
        {
            var line = $"{i + 1}. {Cut(Line(turns[i].Asked), LongestAsked)} → {Cut(Decision(turns[i].Answer), LongestDecision)}";
            if ((room -= Cost(line)) < 0)
                break;
            lines.Insert(0, line);
        }

        return lines.Count == 0
            ? null
            : "Decisions so far in this conversation, a line a turn (extracted; "
                + $"the turns themselves are not shown):\n{string.Join('\n', lines)}";
    }

    /// <summary>The sentence that settles something, the last of them; else the one the answer begins with.</summary>
    private static string Decision(string answer)
    {
        var sentences = Sentences(answer);
        return sentences.FindLast(s => Array.Exists(Settling, word => s.Contains(word, StringComparison.OrdinalIgnoreCase)))
            ?? (sentences.Count > 0 ? sentences[0] : Line(answer));
    }

    private static List<string> Sentences(string text)
    {
        var (sentences, current) = (new List<string>(), new StringBuilder());
        for (var i = 0; i < text.Length; i++)
        {
            current.Append(text[i] is '\n' or '\r' or '\t' ? ' ' : text[i]);
            var ends = text[i] is '\n' or '。' or '！' or '？'
                || (text[i] is '.' or '!' or '?' && (i + 1 == text.Length || char.IsWhiteSpace(text[i + 1])));
            if (!ends)
                continue;
            if (current.ToString().Trim() is { Length: > 3 } sentence)
                sentences.Add(sentence);
            current.Clear();
        }

        if (current.ToString().Trim() is { Length: > 3 } rest)
            sentences.Add(rest);
        return sentences;
    }

    private static double Cost(string text) =>
        (TokenEstimateRule.Units(text) + TokenEstimateRule.TokensPerMessage) * TokenEstimateRule.Margin;

    private static string Line(string text) => text.ReplaceLineEndings(" ").Trim();

    private static string Cut(string text, int longest) =>
        text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)] + "…";
}
