using System.Diagnostics.CodeAnalysis;

namespace LlmQueue.Catalogue;

/// <summary>
/// A model as the catalogue names it: <c>groq:qwen/qwen3-32b</c>. The name is the provider's own and goes on the wire as it is.
/// </summary>
public sealed record ModelId(string Provider, string Name)
{
    public static ModelId Parse(string text) =>
        TryParse(text, out var id) ? id
            : throw new FormatException($"'{text}' is not a model; expected 'provider:model', for example 'groq:openai/gpt-oss-20b'.");

    // Only the first colon separates: OpenRouter's names have colons of their own ("openai/gpt-oss-20b:free").
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out ModelId? id)
    {
        id = null;
        var colon = text?.IndexOf(':') ?? -1;
        if (colon <= 0 || colon == text!.Length - 1 || text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
            return false;
        var provider = text[..colon];
        if (!provider.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-'))
            return false;
        id = new ModelId(provider, text[(colon + 1)..]);
        return true;
    }

    public override string ToString() => $"{Provider}:{Name}";
}
