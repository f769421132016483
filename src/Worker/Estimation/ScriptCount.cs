namespace LlmQueue.Worker.Estimation;

/// <summary>
/// Counts the characters of each script in one pass over a text, and apart from them what digits, punctuation and white space cost. The
/// rates are characters for a token, from parallel texts counted by six models (median of the table, rounded to the careful side).
/// </summary>
internal struct ScriptCount
{
    private const double English = 4.2, OtherLatin = 2.9, Russian = 3.2, Ukrainian = 2.7, Hangul = 1.6;
    private const double Han = 0.7, Kana = 0.8, OtherScript = 0.6;

    // Qwen gives every digit a token, others one to three of them.
    private const double Digit = 0.6;
    private const double Mark = 0.6, RepeatedMark = 0.15;

    // What breaks a word into more pieces than its length tells: keys, hashes, camelCase, SHOUTING.
    private const double CaseChange = 0.4, Capital = 0.15;

    private int _ascii, _accented, _cyrillic, _ukrainian, _hangul;
    private double _apart;
    private char _before;
    private Script _script;

    private enum Script
    {
        Latin,
        Cyrillic,
        Hangul,
        Other,
    }

    public readonly double Units
    {
        get
        {
            // English has next to no accents, German two in a hundred letters, French and Finnish more; in between lies mixed text.
            var latin = _ascii + _accented;
            var foreign = latin == 0 ? 0 : Math.Clamp((_accented / (double)latin - 0.002) / 0.008, 0, 1);
            return _apart
                + latin * (foreign / OtherLatin + (1 - foreign) / English)
                + _cyrillic / (_ukrainian * 100 > _cyrillic ? Ukrainian : Russian)
                + _hangul / Hangul;
        }
    }

    public void Add(char c)
    {
        if (char.IsAsciiLetter(c))
            AddAsciiLetter(c);
        else if (c == ' ')
            AddSpace();
        else if (c < 128)
            AddMark(c);
        else
            AddOther(c);
        _before = c;
    }

    private void AddAsciiLetter(char c)
    {
        _ascii++;
        _script = Script.Latin;
        if (char.IsAsciiLetterUpper(c) && char.IsAsciiLetter(_before))
            _apart += char.IsAsciiLetterUpper(_before) ? Capital : CaseChange;
    }

    // A single space is part of the word after it and was counted in the rates; a longer run is indentation, one token.
    private void AddSpace()
    {
        if (_before == ' ')
        {
            _apart += 0.1;
            return;
        }
        switch (_script)
        {
            case Script.Latin: _ascii++; break;
            case Script.Cyrillic: _cyrillic++; break;
            case Script.Hangul: _hangul++; break;
            default: _apart += 0.2; break;
        }
    }

    private void AddMark(char c)
    {
        if (char.IsAsciiDigit(c))
            _apart += Digit;
        else
            // Rules of dashes, blank lines and the like are few tokens.
            _apart += c == _before ? RepeatedMark : c == '\n' ? 1 : c is '\r' or '\t' ? 0.3 : Mark;
    }

    private void AddOther(char c)
    {
        switch (c)
        {
            case < 'ɐ' when char.IsLetter(c): // Latin with accents: U+00AA to U+024F.
            case >= 'Ḁ' and <= 'ỿ':
                _accented++;
                _script = Script.Latin;
                break;
            case >= 'Ѐ' and <= 'ԯ':
                _cyrillic++;
                _script = Script.Cyrillic;
                if (c is 'і' or 'ї' or 'є' or 'ґ' or 'І' or 'Ї' or 'Є' or 'Ґ')
                    _ukrainian++;
                break;
            case >= '가' and <= '힣' or >= 'ᄀ' and <= 'ᇿ':
                _hangul++;
                _script = Script.Hangul;
                break;
            case >= '\u3040' and <= '\u30FF':
                _apart += Kana;
                _script = Script.Other;
                break;
            case >= '\u3400' and <= '\u9FFF' or >= '\uF900' and <= '\uFAFF':
                _apart += Han;
                _script = Script.Other;
                break;
            case >= '\u2000' and <= '\u206F' or >= '\u3000' and <= '\u303F' or >= '\uFF00' and <= '\uFFEF':
                _apart += c == _before ? RepeatedMark : Mark; // Quotation marks, dashes, full-width forms.
                break;
            case >= '\uD800' and <= '\uDFFF' or >= '\u2190' and <= '\u2BFF':
                _apart += 1; // Emoji and rare characters: each half about a token.
                break;
            default:
                _apart += OtherScript;
                _script = Script.Other;
                break;
        }
    }
}
