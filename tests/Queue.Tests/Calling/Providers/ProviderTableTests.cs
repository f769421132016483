using System.Globalization;
using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Settings;
using LlmQueue.Limits;
using LlmQueue.OpenAi;
using LlmQueue.Tests.Calling.Reading;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Calling.Wire;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Tests.Calling.Providers;

/// <summary>
/// What each provider's peculiarities become: one approved file a provider, so that a change to one provider is seen to change no other.
/// </summary>
public sealed class ProviderTableTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly ImageSize[] Sizes = [new(64, 64), new(384, 384), new(1024, 1024), new(1920, 1080), new(4000, 3000)];

    public static TheoryData<string> Names { get; } = [.. KnownProviders.All.Select(known => known.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void What_each_provider_sends_and_what_its_headers_and_errors_become_is_approved(string name) =>
        Approval.Verify($"provider-{name}.txt", Table(ProviderRegistry.Of(name)));

    [Fact]
    public void Settings_and_the_worker_know_the_same_providers() =>
        Assert.Equal(
            KnownProviders.All.Select(known => known.Name).Order(StringComparer.Ordinal),
            ProviderRegistry.All.Select(provider => provider.Name));

    [Fact]
    public void A_provider_without_a_file_of_its_own_does_everything_as_OpenAI_documents_it()
    {
        var unknown = ProviderRegistry.Of("somebody");

        Assert.Equal(("somebody", "max_tokens", true), (unknown.Name, unknown.MaxTokensParameter, unknown.TakesTemperature));
        Assert.Equal(
            new ProviderCount { RemainingTokensMinute = 900 },
            unknown.Count(name => name == "x-ratelimit-remaining-tokens" ? "900" : null, Noon));
    }

    /// <summary>OpenRouter and gateways behind a base address pass on what their upstreams wrote.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void An_error_means_the_same_whoever_passes_it_on(string name)
    {
        foreach (var (sender, seen, status, body, _, _, _) in ProviderErrorTests.Errors.Select(row => row.Data))
        {
            var (own, passedOn) = (Read(ProviderRegistry.Of(sender), status, body), Read(ProviderRegistry.Of(name), status, body));
            Assert.True(
                own with { Count = null } == passedOn with { Count = null },
                $"{sender} ({seen}) through {name}: {own} became {passedOn}");
        }
    }

    private static string Table(OpenAiCompatibleProvider provider)
    {
        List<string> lines = [$"request: {Body(provider)}"];
        foreach (var size in Sizes)
        {
            var (standard, low) = (provider.ImageTokens(size, null), provider.ImageTokens(size, "low"));
            lines.Add(Line($"image {size.Width} x {size.Height}: {standard} tokens, {low} with detail low"));
        }

        foreach (var window in provider.Windows)
            lines.Add($"window: {window.Limit}, {window.Remaining}, {window.Reset}");
        foreach (var (name, seen, headers, _) in RateHeadersTests.Headers.Select(row => row.Data))
            if (name == provider.Name)
                lines.Add(Line($"headers ({seen}): {provider.Count(RateHeadersTests.Header(headers), Noon)?.ToString() ?? "nothing"}"));
        foreach (var (name, seen, status, body, _, _, _) in ProviderErrorTests.Errors.Select(row => row.Data))
            if (name == provider.Name)
                lines.Add(Line($"{status} ({seen}): {Read(provider, status, body)}"));
        return string.Join('\n', lines.Select(line => line.ReplaceLineEndings(" ")));
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Body(OpenAiCompatibleProvider provider) =>
        Encoding.UTF8.GetString(RequestBody.Of(new ProviderRequest("m", [new LlmMessage("user", "Why?")], 50, Json: true), provider));

    private static CallOutcome Read(OpenAiCompatibleProvider provider, int status, string body) =>
        provider.Read(new RawAnswer(status, Encoding.UTF8.GetBytes(body), _ => null), Noon);
}
