namespace ProviderSimulator.Limits;

/// <summary>The four windows Groq publishes; each belongs to one organisation and one model.</summary>
internal enum LimitWindow
{
    RequestsPerMinute,
    RequestsPerDay,
    TokensPerMinute,
    TokensPerDay,
}

internal static class LimitWindows
{
    public static readonly LimitWindow[] All =
        [LimitWindow.RequestsPerMinute, LimitWindow.RequestsPerDay, LimitWindow.TokensPerMinute, LimitWindow.TokensPerDay];

    extension(LimitWindow window)
    {
        public bool CountsTokens => window is LimitWindow.TokensPerMinute or LimitWindow.TokensPerDay;

        public double LengthSeconds => window is LimitWindow.RequestsPerMinute or LimitWindow.TokensPerMinute ? 60 : 86_400;

        public string ShortName => window switch
        {
            LimitWindow.RequestsPerMinute => "RPM",
            LimitWindow.RequestsPerDay => "RPD",
            LimitWindow.TokensPerMinute => "TPM",
            _ => "TPD",
        };

        /// <summary>As the error text words it: "tokens per minute (TPM)".</summary>
        public string LongName => window switch
        {
            LimitWindow.RequestsPerMinute => "requests per minute (RPM)",
            LimitWindow.RequestsPerDay => "requests per day (RPD)",
            LimitWindow.TokensPerMinute => "tokens per minute (TPM)",
            _ => "tokens per day (TPD)",
        };

        /// <summary>The "type" of the error body.</summary>
        public string ErrorType => window.CountsTokens ? "tokens" : "requests";
    }

    public static LimitWindow? Named(string shortName)
    {
        foreach (var window in All)
        {
            if (string.Equals(window.ShortName, shortName, StringComparison.OrdinalIgnoreCase))
            {
                return window;
            }
        }

        return null;
    }
}
