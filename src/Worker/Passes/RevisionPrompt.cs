using LlmQueue.Contracts;

namespace LlmQueue.Worker.Passes;

/// <summary>The prompt for a revision, sent to the draft's model: the conversation, its own answer, and the issues.</summary>
public static class RevisionPrompt
{
    public static IReadOnlyList<LlmMessage> Messages(IReadOnlyList<LlmMessage> question, string draft, IReadOnlyList<string> issues) =>
    [
        .. question,
        new("assistant", draft),
        new("user", $"""
            A reviewer has checked your answer and found this:
            {string.Join('\n', issues.Select((issue, i) => $"{i + 1}. {issue}"))}

            Write the whole answer again, to the question as it was asked and in its language. Mend what is rightly found, keep what was right, and where the reviewer
            errs, stay with what is true. Give only the answer: it takes the place of the first one, and its reader has seen neither that nor the review.
            """),
    ];
}
