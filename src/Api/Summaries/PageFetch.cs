using System.Net.Mime;
using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Http;

namespace LlmQueue.Api.Summaries;

/// <summary>
/// Fetches pages by URL: public addresses only, on every hop; with a limit of bytes and seconds, and without decompression. A page that
/// cannot be fetched fails alone, with the sentence that says why.
/// </summary>
public sealed class PageFetch(OutboundHttp outside)
{
    public const int MostPages = 100;
    private const int MostRedirects = 5, LargestPage = 5 << 20, Together = 8;
    private const long LargestSet = 50 << 20;
    private static readonly string[] Readable =
    [
        MediaTypeNames.Text.Html, "application/xhtml+xml", MediaTypeNames.Text.Plain, "text/markdown", MediaTypeNames.Application.Json,
        MediaTypeNames.Text.Xml, MediaTypeNames.Application.Xml,
    ];

    /// <summary>A page with all its redirects, to its last byte.</summary>
    public TimeSpan Longest { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The pages with their contents, and by its place why one has none.</summary>
    public async Task<(IReadOnlyList<PageContent> Pages, IReadOnlyDictionary<int, string> Wrong)> Fill(
        IReadOnlyList<PageContent> pages, CancellationToken cancellationToken)
    {
        var (filled, wrong) = (pages.ToArray(), new System.Collections.Concurrent.ConcurrentDictionary<int, string>());
        var left = new Room(LargestSet);
        var places = Enumerable.Range(0, pages.Count).Where(i => pages[i] is { Url: not null, Text: null, Html: null });
        await Parallel.ForEachAsync(places,
            new ParallelOptions { MaxDegreeOfParallelism = Together, CancellationToken = cancellationToken }, async (place, cancellation) =>
        {
            try
            {
                filled[place] = await Fetch(pages[place], left, cancellation);
            }
            catch (PageNotHadException refused)
            {
                wrong[place] = $"Page {place + 1} could not be fetched from {Short(pages[place].Url!)}: {refused.Message}";
            }
        });
        return (filled, wrong);
    }

    private async Task<PageContent> Fetch(PageContent page, Room left, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Longest);
        try
        {
            var url = Uri.TryCreate(page.Url, UriKind.Absolute, out var first) ? first
                : throw new PageNotHadException("it is not an absolute http or https address.");
            for (var hops = 0; hops <= MostRedirects; hops++)
            {
                if (outside.WhyNot(url) is { } forbidden)
                    throw new PageNotHadException(forbidden);
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                request.Headers.UserAgent.ParseAdd("LlmQueue");
                request.Headers.Accept.ParseAdd("text/html, text/plain;q=0.9, text/markdown;q=0.9, */*;q=0.1");
                using var response = await outside.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
                if ((int)response.StatusCode is >= 300 and < 400 && response.Headers.Location is { } next)
                    url = new Uri(url, next);
                else if (!response.IsSuccessStatusCode)
                    throw new PageNotHadException($"the server answered {(int)response.StatusCode}.");
                else
                    return await Read(page, response, left, limit.Token);
            }

            throw new PageNotHadException($"it was redirected more than {MostRedirects} times.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PageNotHadException($"it did not come within {Longest.TotalSeconds:0} s.");
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            throw new PageNotHadException(fault.GetBaseException().Message);
        }
    }

    private static async Task<PageContent> Read(
        PageContent page, HttpResponseMessage response, Room left, CancellationToken cancellationToken)
    {
        var type = response.Content.Headers.ContentType;
        if (type?.MediaType is { } media && !Readable.Contains(media, StringComparer.OrdinalIgnoreCase))
            throw new PageNotHadException($"it is {media}; expected a text or HTML.");
        // Not asked for, and a few bytes of it can stand for gigabytes.
        if (response.Content.Headers.ContentEncoding.FirstOrDefault(e => !e.Equals("identity", StringComparison.OrdinalIgnoreCase))
            is { } packed)
            throw new PageNotHadException($"it came packed as {packed}, which was not asked for.");
        var bytes = new MemoryStream();
        var chunk = new byte[32 << 10];
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        while (await body.ReadAsync(chunk, cancellationToken) is var count and > 0)
        {
            bytes.Write(chunk, 0, count);
            if (bytes.Length > LargestPage)
                throw new PageNotHadException($"it is larger than {LargestPage >> 20} MB.");
            if (!left.Take(count))
                throw new PageNotHadException($"with it the pages of this summary would be larger than {LargestSet >> 20} MB together.");
        }

        var text = EncodingOf(type?.CharSet).GetString(bytes.GetBuffer(), 0, (int)bytes.Length).TrimStart('\uFEFF')
            .Replace("\0", "", StringComparison.Ordinal);
        var isHtml = type?.MediaType is MediaTypeNames.Text.Html or "application/xhtml+xml"
            || (type is null && text.AsSpan(0, Math.Min(text.Length, 200)).Contains('<'));
        return page with { Title = page.Title ?? (isHtml ? null : page.Url), Text = isHtml ? null : text, Html = isHtml ? text : null };
    }

    private static Encoding EncodingOf(string? name)
    {
        try
        {
            return name is null ? Encoding.UTF8 : Encoding.GetEncoding(name.Trim('"'));
        }
        catch (ArgumentException)
        {
            return Encoding.UTF8;
        }
    }

    private static string Short(string url) => url.Length <= 200 ? url : url[..200] + "…";

    /// <summary>The bytes that all pages of one set may take together.</summary>
    private sealed class Room(long bytes)
    {
        private long _left = bytes;

        public bool Take(int count) => Interlocked.Add(ref _left, -count) >= 0;
    }

    private sealed class PageNotHadException(string message) : Exception(message);
}
