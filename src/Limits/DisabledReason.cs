namespace LlmQueue.Limits;

/// <summary>What disabled a bucket.</summary>
public enum DisabledCause
{
    /// <summary>A text that this program did not write, such as one set in the database by a person.</summary>
    Other,

    /// <summary>The provider said that it does not have the model.</summary>
    ModelGone,

    /// <summary>The provider accepts none of the bucket's keys.</summary>
    NoKeyAccepted,
}

/// <summary>Why nothing is sent to a bucket at all: a cause for the rules, and its sentence, which is what the column holds.</summary>
public sealed record DisabledReason
{
    private const string Gone = "the model is gone";
    private const string Refused = "no key is accepted";

    private readonly string _text;

    private DisabledReason(DisabledCause cause, string text) => (Cause, _text) = (cause, text);

    public DisabledCause Cause { get; }

    public static DisabledReason ModelGone(string detail) => new(DisabledCause.ModelGone, $"{Gone}: {detail}");

    public static DisabledReason NoKeyAccepted(string detail) => new(DisabledCause.NoKeyAccepted, $"{Refused}: {detail}");

    /// <summary>The reason whose column holds this text.</summary>
    public static DisabledReason Read(string text) => new(
        text.StartsWith(Gone, StringComparison.Ordinal) ? DisabledCause.ModelGone
            : text.StartsWith(Refused, StringComparison.Ordinal) ? DisabledCause.NoKeyAccepted
            : DisabledCause.Other, text);

    /// <summary>The sentence for people, as the column holds it.</summary>
    public override string ToString() => _text;
}
