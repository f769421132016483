using LlmQueue.Limits;
using LlmQueue.OpenAi;
using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>Mistral. Its errors lie flat in the body; its header names have changed twice, and all three sets are still seen.</summary>
internal sealed class MistralProvider() : OpenAiCompatibleProvider("mistral")
{
    private static readonly WindowHeaders RequestsOfMinute = WindowHeaders.Of("req-minute");
    private static readonly WindowHeaders TokensOfMinute = WindowHeaders.Of("tokens-minute");
    private static readonly WindowHeaders SizeOfMinute =
        new("x-ratelimitbysize-limit-minute", "x-ratelimitbysize-remaining-minute", Reset: null);
    private static readonly WindowHeaders Size = new("ratelimitbysize-limit", "ratelimitbysize-remaining", "ratelimitbysize-reset");

    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        new(ErrorMeaning.ModelGone, (_, error) => error.Names("invalid_model")),
        // A 429 that is about the model's capacity, not about a limit of ours.
        new(ErrorMeaning.Overloaded, (_, error) => error.Names("service_tier_capacity_exceeded")),
    ];

    public override IReadOnlyList<WindowHeaders> Windows { get; } = [Size];

    /// <summary>Patches of 16, the longer side at most 1024, and one token a row.</summary>
    public override int ImageTokens(ImageSize size, string? detail) => size.Within(1024).Tiles(16) + size.Within(1024).Rows(16);

    protected override ProviderCount ReadCount(Func<string, string?> header, DateTimeOffset now) =>
        new ProviderCount().WithRequests(RequestsOfMinute.Read(header)).WithTokens(TokensOfMinute.Read(header) ?? BySize(header));

    /// <summary>The name with the window in it says the minute's; the one without may be the month's.</summary>
    private static WindowCount? BySize(Func<string, string?> header)
    {
        var (minute, any) = (SizeOfMinute.Read(header), Size.Read(header));
        return minute is null || any is null
            ? minute ?? any
            : new WindowCount(minute.Limit ?? any.Limit, minute.Remaining ?? any.Remaining);
    }
}
