using System.Net.Http.Headers;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.OpenAi;
using LlmQueue.Worker.Calling.Reading;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>
/// The base of all providers: requests, answers, headers and errors as OpenAI documents them. A provider that does something differently
/// overrides that in a file of its own, and nothing of it stands anywhere else. Pure: it opens no connection and keeps no state.
/// </summary>
/// <param name="name">Lower case, as in a model's id and in settings.</param>
public class OpenAiCompatibleProvider(string name)
{
    /// <summary>A window that would take longer than this to refill is a day's.</summary>
    protected static readonly TimeSpan LongestMinute = TimeSpan.FromMinutes(10);

    protected static readonly WindowHeaders Requests = WindowHeaders.Of("requests");
    protected static readonly WindowHeaders Tokens = WindowHeaders.Of("tokens");

    // The size of an image that only the provider will see: the largest that is not shrunk.
    private static readonly ImageSize Unknown = new(2048, 2048);

    public string Name { get; } = name;

    // ---- Requests ----

    /// <summary>What the longest answer is called.</summary>
    public virtual string MaxTokensParameter => "max_tokens";

    /// <summary>False where models refuse any temperature but their own.</summary>
    public virtual bool TakesTemperature => true;

    /// <summary>
    /// Tokens of an image before anything is known of the model's own counting. Where a provider documents no rule: patches of 28, as Qwen
    /// reads them, the most of all.
    /// </summary>
    public virtual int ImageTokens(ImageSize size, string? detail) => size.Within(2048).Tiles(28) + 2;

    /// <summary>Tokens of all images of these messages.</summary>
    public int ImageTokens(IReadOnlyList<LlmMessage> messages) =>
        messages.Sum(message => message.Images?.Sum(image => ImageTokens(ImageRule.SizeOf(image) ?? Unknown, image.Detail)) ?? 0);

    /// <summary>What the list of models, which costs nothing, is asked for with.</summary>
    public virtual void AuthorizeModelList(HttpRequestHeaders headers, string secret) =>
        headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);

    // ---- Limits ----

    /// <summary>The headers that say when a window is full again, for a refusal that does not say how long to wait.</summary>
    public virtual IReadOnlyList<WindowHeaders> Windows => [Requests, Tokens];

    /// <summary>What the headers tell of each window; null when they tell nothing.</summary>
    public ProviderCount? Count(Func<string, string?> header, DateTimeOffset now) => NullWhenEmpty(ReadCount(header, now));

    /// <summary>
    /// Both of the minute, except where a tier counts its requests by the day and says so only by how long they take to refill.
    /// </summary>
    protected virtual ProviderCount ReadCount(Func<string, string?> header, DateTimeOffset now) =>
        new ProviderCount().WithRequests(Requests.Read(header), ofDay: RefillsInADay(header)).WithTokens(Tokens.Read(header));

    // ---- Answers ----

    /// <summary>The outcome of a call, with what the provider said of its count.</summary>
    public CallOutcome Read(RawAnswer answer, DateTimeOffset now)
    {
        var completion = answer.IsSuccess ? CompletionReader.Read(answer.Body) : new Completion(null, answer.Status);
        if (completion.Outcome is { } read)
            return read with { Count = Count(answer.Header, now) };
        var error = ErrorBody.Read(answer.Body);
        var outcome = ErrorReader.Read(completion.ErrorStatus, Header, error, now);
        var count = Count(Header, now);
        // A refusal's words name the limit of the window that refused, and for some windows there is no header: the words win.
        if (outcome is CallOutcome.Throttled or CallOutcome.TooLarge)
            count = NullWhenEmpty((count ?? new ProviderCount()).WithNamed(ErrorReader.Limit(error)));
        return outcome with { Count = count };

        string? Header(string name) => answer.Header(name) ?? error.Headers.GetValueOrDefault(name);
    }

    // ---- Errors: looked for in every provider's errors, as gateways pass on what their upstreams wrote ----

    /// <summary>By what this provider's errors are known beyond what all mean alike.</summary>
    public virtual IReadOnlyList<ErrorSign> ErrorSigns => [];

    /// <summary>The limit that a refusal names in this provider's own way; null where it does not.</summary>
    public virtual NamedLimit? LimitNamedIn(ErrorBody error) => null;

    /// <summary>What has to be waited whatever the refusal says; null for nothing.</summary>
    public virtual TimeSpan? LeastWait(ErrorBody error, DateTimeOffset now) => null;

    /// <summary>limit × reset / used is the window's length.</summary>
    private static bool RefillsInADay(Func<string, string?> header) =>
        Requests.Read(header) is { Limit: { } limit, Remaining: { } remaining } && remaining < limit
        && WireValue.Duration(header(Requests.Reset!)) is { } reset && reset * (limit / (limit - remaining)) > LongestMinute;

    private static ProviderCount? NullWhenEmpty(ProviderCount count) => count == new ProviderCount() ? null : count;
}
