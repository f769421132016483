namespace LlmQueue.Tests.Exploration;

/// <summary>
/// Mistakes that somebody could make, planted where the store and the messages meet the real machine, to show that the
/// explorer would find them.
/// </summary>
public enum PlantedBug
{
    None,

    /// <summary>A late outcome or lease counts for whatever attempt is open.</summary>
    NoAttemptFence,

    /// <summary>A task that already ended takes an event as if its row had not moved on: the version is not compared.</summary>
    NoVersionFence,

    /// <summary>What a call did not use is neither settled nor released.</summary>
    ForgetsToRelease,

    /// <summary>A canceled call keeps its reservation.</summary>
    ForgetsToSettle,

    /// <summary>Two workers may make the same call.</summary>
    ClaimsTwice,

    /// <summary>A call that a worker kept to itself is made although its commit did not stand.</summary>
    BelievesADoubtedClaim,

    /// <summary>A task that was granted room and is canceled keeps what was booked for it.</summary>
    KeepsWhatWasGranted,

    /// <summary>Who leaves a line is still counted in it.</summary>
    NeverLeavesTheLine,

    /// <summary>A reservation is not held against the true row: only the worker's own view is asked.</summary>
    NoGuard,
}
