namespace ProviderSimulator.Answers;

/// <summary>
/// The simulator's own idea of a token, on purpose nobody else's: a queue that estimates must live with being a little wrong. Words count
/// by four letters, digits by three, a CJK character seven tenths, any other sign one, spaces nothing. One pass, no allocation.
/// </summary>
internal static class TokenCounter
{
    public const int PerMessage = 4;
    public const int PerPrompt = 3;
    public const int PerImage = 85;

    private const int LettersPerToken = 4;
    private const int DigitsPerToken = 3;
    private const int TenthsPerCjk = 7;

    private enum Kind : byte
    {
        Space,
        Letter,
        Digit,
        Sign,
        Cjk,
        SecondHalf,
    }

    // Prompts are mostly ASCII and long: a table answers ten times as fast as the Unicode categories.
    private static readonly Kind[] Ascii = [.. Enumerable.Range(0, 128).Select(code => KindOf((char)code))];

    public static int Count(ReadOnlySpan<char> text) => Walk(text, int.MaxValue, out _);

    /// <summary>How many characters the first so many tokens take.</summary>
    public static int LengthOf(ReadOnlySpan<char> text, int tokens)
    {
        Walk(text, tokens, out var length);
        return length;
    }

    private static int Walk(ReadOnlySpan<char> text, int limit, out int length)
    {
        var kinds = Ascii;
        var tokens = 0;
        var tenths = 0;
        var open = Kind.Space;
        var room = int.MaxValue;
        for (var at = 0; at < text.Length; at++)
        {
            var sign = text[at];
            var kind = sign < kinds.Length ? kinds[sign] : KindOf(sign);
            if (kind == open && room > 0)
            {
                room--;
                continue;
            }

            open = kind;
            room = Room(kind);
            tokens += kind is Kind.Letter or Kind.Digit or Kind.Sign ? 1 : 0;
            tenths += kind is Kind.Cjk ? TenthsPerCjk : 0;
            if (tokens + (tenths / 10) > limit)
            {
                length = at;
                return limit;
            }
        }

        length = text.Length;
        return tokens + ((tenths + 9) / 10);
    }

    // How many more of its kind a piece takes after its first.
    private static int Room(Kind kind) => kind switch
    {
        Kind.Letter => LettersPerToken - 1,
        Kind.Digit => DigitsPerToken - 1,
        Kind.Space => int.MaxValue,
        _ => 0,
    };

    private static Kind KindOf(char sign) =>
        char.IsWhiteSpace(sign) ? Kind.Space
        : char.IsAsciiDigit(sign) ? Kind.Digit
        : IsCjk(sign) ? Kind.Cjk
        : char.IsLetter(sign) ? Kind.Letter
        // It belongs to the first half, which has been counted.
        : char.IsLowSurrogate(sign) ? Kind.SecondHalf
        : Kind.Sign;

    // Kana, the unified ideographs and Hangul: the ranges that matter, not all of Unicode.
    private static bool IsCjk(char sign) =>
        sign is (>= '\u3040' and <= '\u30ff') or (>= '\u3400' and <= '\u9fff') or (>= '\uac00' and <= '\ud7a3');
}
