namespace LlmQueue.Contracts;

/// <summary>Priority classes, as <see cref="LlmTask.Priority"/> names them and as rows keep them; a smaller number goes first.</summary>
public static class Priorities
{
    /// <summary>A person waits for the answer.</summary>
    public const short Interactive = 0;

    /// <summary>The default.</summary>
    public const short Normal = 1;

    /// <summary>Work that may wait for hours.</summary>
    public const short Batch = 2;

    /// <summary>The name of a class: <c>interactive</c>, <c>normal</c> or <c>batch</c>.</summary>
    /// <param name="priority">The class as rows keep it.</param>
    /// <returns>Its name on the wire.</returns>
    public static string Name(short priority) => priority switch { Interactive => "interactive", Batch => "batch", _ => "normal" };

    /// <summary>The class of a name, in any case of letters; no name is <c>normal</c>.</summary>
    /// <param name="name">The name on the wire, or null.</param>
    /// <returns>The class; null where there is none of that name.</returns>
    public static short? Parse(string? name) => name?.ToLowerInvariant() switch
    {
        null or "" or "normal" => Normal,
        "interactive" => Interactive,
        "batch" => Batch,
        _ => null,
    };
}
