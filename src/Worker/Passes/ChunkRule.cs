using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Estimation;

namespace LlmQueue.Worker.Passes;

/// <summary>
/// Splits a prompt that fits no call into parts: its longest message is cut where a reader would pause, notes are taken of each part, and
/// the question is put with the notes in the place of what was read. Every prompt that is made here fits the call it is made for, as
/// estimated. Pure.
/// </summary>
public static class ChunkRule
{
    /// <summary>Tokens of notes that are kept of a part, where there is room.</summary>
    public const int MostNotes = 1024;

    // Fewer tokens of notes are a heading; a part of fewer tokens is not worth its instructions.
    private const int LeastNotes = 48, LeastPart = 64;
    private const int NotesFrame = 16;

    // Of the long message its beginning and its end are shown as they are: one of them says what is wanted.
    private const int MostEdge = 600, MostRequest = 1600;

    /// <summary>The longest answer of a part's call: its notes, and the hidden reasoning that comes before them.</summary>
    public static int OutputTokens(int call, int maxOutput) => Math.Min(Math.Min(2 * MostNotes, call / 4), maxOutput);

    /// <param name="prompt">As it was handed in.</param>
    /// <param name="call">Tokens of the largest call that can be made, prompt and answer together.</param>
    /// <param name="outputTokens">The longest answer to the question itself.</param>
    /// <param name="notesTokens">The longest answer of a part's call.</param>
    public static ChunkDecision Decide(StoredPrompt prompt, int call, int outputTokens, int notesTokens)
    {
        var longest = Longest(prompt.Messages);
        if (longest < 0 || prompt.Messages.Any(m => m.Images is { Count: > 0 }))
            return new ChunkDecision.NoHelp();
        var notesRoom = NotesRoom(DraftRoom(prompt, longest, call, outputTokens));
        var request = PartPrompt.Request(prompt.Messages, longest, Math.Min(MostRequest, (call - notesTokens) / 4));
        var most = Math.Min(TaskPasses.MostParts, notesRoom / (LeastNotes + NotesFrame));
        var left = call - notesTokens - Tokens(PartPrompt.Messages(request, "", TaskPasses.MostParts, TaskPasses.MostParts, MostNotes));
        for (; most >= 1 && left >= LeastPart; left = left * 9 / 10)
        {
            var parts = Cut(prompt.Messages[longest].Content, left / TokenEstimateRule.Margin);
            if (parts.Count > most)
                return new ChunkDecision.TooMany(parts.Count, most);
            var notes = Math.Min(MostNotes, (notesRoom / parts.Count) - NotesFrame);
            var prompts = parts.Select((part, i) => PartPrompt.Messages(request, part, i + 1, parts.Count, notes)).ToList();
            // Scripts are counted by the text they stand in, so a frame may weigh a little more around a text than alone.
            if (prompts.TrueForAll(p => Tokens(p) + notesTokens <= call))
                return new ChunkDecision.InParts(prompts);
        }

        return new ChunkDecision.NoHelp();
    }

    /// <summary>The question with the notes in the place of what was read: of each part as much as fits.</summary>
    public static IReadOnlyList<LlmMessage> Compose(StoredPrompt prompt, IReadOnlyList<string> notes, int call, int outputTokens)
    {
        var longest = Longest(prompt.Messages);
        var text = prompt.Messages[longest].Content;
        for (var room = DraftRoom(prompt, longest, call, outputTokens); ; room = room * 9 / 10)
        {
            var share = (NotesRoom(room) / notes.Count) - NotesFrame;
            var composed = With(prompt, longest, PartPrompt.Question(Beginning(text, Edge(room)),
                [.. notes.Select(n => Beginning(n.Trim(), share))], Ending(text, Edge(room))));
            if (room < LeastPart || Tokens(composed.Weighed()) + (long)outputTokens <= call)
                return composed.Messages;
        }
    }

    /// <summary>
    /// Cuts a text into parts of at most so many units each: at a paragraph, else a sentence, else a word, in the second half of the part.
    /// Joined they are the text.
    /// </summary>
    public static IReadOnlyList<string> Cut(string text, double units)
    {
        var parts = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = Furthest(text, start, units);
            if (end < text.Length)
                end = Pause(text, start + ((end - start) / 2), end);
            parts.Add(text[start..end]);
        }

        return parts;
    }

    /// <summary>The beginning of a text, at most so many tokens of it.</summary>
    public static string Beginning(string text, int tokens)
    {
        var end = tokens <= 0 || text.Length == 0 ? 0 : Furthest(text, 0, tokens / TokenEstimateRule.Margin);
        return end == text.Length ? text : $"{text[..end]}…";
    }

    /// <summary>The end of a text, at most so many tokens of it.</summary>
    public static string Ending(string text, int tokens)
    {
        var units = Math.Max(0, tokens / TokenEstimateRule.Margin);
        var length = (int)Math.Min(text.Length, units * 10);
        while (length > 0 && TokenEstimateRule.Units(text.AsSpan(text.Length - length)) > units)
            length = length * 9 / 10;
        if (length > 0 && char.IsLowSurrogate(text[^length]))
            length--;
        return length == text.Length ? text : $"…{text[^length..]}";
    }

    /// <summary>The message that is cut: the user's longest; below 0 when there is none.</summary>
    private static int Longest(IReadOnlyList<LlmMessage> messages)
    {
        var longest = -1;
        for (var i = 0; i < messages.Count; i++)
            if (messages[i].Role == "user" && (longest < 0 || messages[i].Content.Length > messages[longest].Content.Length))
                longest = i;
        return longest;
    }

    /// <summary>
    /// Tokens that beginning, notes and end of the long message may take in the question, beside all that stays as it is.
    /// </summary>
    private static int DraftRoom(StoredPrompt prompt, int longest, int call, int outputTokens) =>
        call - outputTokens - Tokens(With(prompt, longest, PartPrompt.Question("", [], "")).Weighed());

    private static int NotesRoom(int draftRoom) => draftRoom - (2 * Edge(draftRoom));

    private static int Edge(int draftRoom) => Math.Min(MostEdge, draftRoom / 6);

    private static StoredPrompt With(StoredPrompt prompt, int index, string content) =>
        prompt with { Messages = [.. prompt.Messages.Select((message, i) => i == index ? message with { Content = content } : message)] };

    private static int Tokens(IReadOnlyList<LlmMessage> messages) =>
        TokenEstimateRule.EstimatePromptTokens(messages, TokenCalibration.None);

    /// <summary>How far the text goes from a place on until it takes more; one whole character at least.</summary>
    private static int Furthest(string text, int start, double units)
    {
        var count = new ScriptCount();
        for (var i = start; i < text.Length; i++)
        {
            count.Add(text[i]);
            if (count.Units <= units)
                continue;
            var end = i > start && IsInside(text, i) ? i - 1 : i;
            return end > start ? end : IsInside(text, start + 1) ? start + 2 : start + 1;
        }

        return text.Length;
    }

    private static bool IsInside(string text, int place) =>
        place < text.Length && char.IsLowSurrogate(text[place]) && char.IsHighSurrogate(text[place - 1]);

    /// <summary>The last place between two where a reader would pause; the further one when there is none.</summary>
    private static int Pause(string text, int from, int to)
    {
        int sentence = 0, word = 0;
        for (var i = to; i > from; i--)
        {
            var before = text[i - 1];
            var line = before == '\n' && i >= 2;
            if (line && (text[i - 2] == '\n' || (i >= 3 && text[i - 2] == '\r' && text[i - 3] == '\n')))
                return i;
            if (sentence == 0
                && (line || before is '。' or '！' or '？' || (i >= 2 && char.IsWhiteSpace(before) && text[i - 2] is '.' or '!' or '?')))
                sentence = i;
            if (word == 0 && char.IsWhiteSpace(before))
                word = i;
        }

        return sentence > 0 ? sentence : word > 0 ? word : to;
    }
}
