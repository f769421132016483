namespace LlmQueue.Storage.UnitsOfWork;

/// <summary>What became of a transition.</summary>
public enum CommitOutcome
{
    Committed,

    /// <summary>The row had moved on since it was loaded, or a new one existed already: load again and decide again.</summary>
    Conflict,

    /// <summary>The true level is below what was reserved: the views are fresh now, decide again.</summary>
    NoRoom,
}
