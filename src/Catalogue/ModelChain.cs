namespace LlmQueue.Catalogue;

/// <summary>
/// The models that may answer a task, first choice first; immutable. A task that is not routed yet has none (null); one that was routed
/// and has nobody left to ask has <see cref="Nobody"/>. Kept in one column as text: no model's id has a space. The text is kept as it was
/// read, so that a row that is only carried costs no parsing.
/// </summary>
public sealed class ModelChain : IEquatable<ModelChain>
{
    /// <summary>No model can be asked.</summary>
    public static readonly ModelChain Nobody = new("");

    private readonly string _text;
    private string[]? _names;

    private ModelChain(string text) => _text = text;

    public bool IsNobody => _text.Length == 0;

    /// <summary>The models' ids as texts, as attempts and commands name them.</summary>
    public IReadOnlyList<string> Names => _names ??= _text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    public IReadOnlyList<ModelId> Models => [.. Names.Select(ModelId.Parse)];

    /// <summary>The model that is asked first; null for <see cref="Nobody"/>.</summary>
    public string? FirstChoice => IsNobody ? null : Names[0];

    public static ModelChain Of(IEnumerable<ModelId> models) => Of(models.Select(model => model.ToString()));

    public static ModelChain Of(IEnumerable<string> names) => Read(string.Join(' ', names));

    /// <summary>The chain whose column holds this text.</summary>
    public static ModelChain Read(string text) => text.Length == 0 ? Nobody : new ModelChain(text);

    public bool Equals(ModelChain? other) => other?._text == _text;

    public override bool Equals(object? obj) => Equals(obj as ModelChain);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(_text);

    /// <summary>As its column holds it.</summary>
    public override string ToString() => _text;
}
