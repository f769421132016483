namespace LlmQueue.Catalogue;

/// <summary>
/// The current catalogue. It is replaced while the process runs, so every decision reads <see cref="Now"/> anew; a catalogue itself never
/// changes.
/// </summary>
/// <param name="first">What the process begins with.</param>
/// <param name="file">Where a newer one would appear; null for a catalogue that stays.</param>
public sealed class CurrentCatalogue(ModelCatalogue first, CatalogueFile? file = null)
{
    private volatile ModelCatalogue _now = first;

    public ModelCatalogue Now => _now;

    public CatalogueFile? File { get; } = file;

    internal void Take(ModelCatalogue next) => _now = next;
}

/// <summary>A catalogue on disk, which somebody may edit while the process runs.</summary>
/// <param name="Path">The file.</param>
/// <param name="Adapt">What is done to a catalogue before it counts; null is nothing.</param>
public sealed record CatalogueFile(string Path, Func<ModelCatalogue, ModelCatalogue>? Adapt = null)
{
    /// <summary>
    /// How often the file is looked at. Default 2 s. It is read and compared, so that a replaced file, a link or a mounted
    /// volume is noticed as well.
    /// </summary>
    public TimeSpan LookEvery { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>Prepares for a new catalogue before it becomes the current one.</summary>
public interface ICatalogueFollower
{
    /// <summary>
    /// Throws when it cannot be ready now; then the old catalogue stays, and the new one is tried again at the next look.
    /// </summary>
    Task Follow(ModelCatalogue next, IReadOnlyList<string> changes, CancellationToken cancellationToken);
}
