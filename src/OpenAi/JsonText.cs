namespace LlmQueue.OpenAi;

/// <summary>Finds text in JSON that a .NET string cannot hold.</summary>
public static class JsonText
{
    /// <summary>
    /// Where JSON has a text that no string can hold: bytes that are not UTF-8, or an escape that is half of a character. The parser lets
    /// both pass, and they surface as a fault wherever the text is first taken out. Null when all is well.
    /// </summary>
    public static int? WhereBroken(ReadOnlySpan<byte> json)
    {
        if (!System.Text.Unicode.Utf8.IsValid(json))
            return 0;
        for (var i = json.IndexOf((byte)'\\'); i >= 0 && i < json.Length;)
        {
            var unit = Escaped(json[i..]);
            if (unit is >= 0xDC00 and <= 0xDFFF
                || (unit is >= 0xD800 and <= 0xDBFF && Escaped(json[(i + 6)..]) is not (>= 0xDC00 and <= 0xDFFF)))
                return i;
            i += unit switch { null => 2, >= 0xD800 and <= 0xDBFF => 12, _ => 6 };
            i = i < json.Length && json[i..].IndexOf((byte)'\\') is var next and >= 0 ? i + next : -1;
        }

        return null;
    }

    /// <summary>The code unit of an escape that stands at the beginning; null where none does.</summary>
    private static int? Escaped(ReadOnlySpan<byte> json) =>
        json.Length >= 6 && json[0] == '\\' && json[1] == 'u'
            && System.Buffers.Text.Utf8Parser.TryParse(json.Slice(2, 4), out int unit, out var read, 'x') && read == 4
            ? unit
            : null;
}
