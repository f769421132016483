using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Tests.Api;
using LlmQueue.Worker.PageSummaries.Html;
using LlmQueue.Worker.PageSummaries.Pages;

namespace LlmQueue.Tests.PageSummaries;

/// <summary>What holds for any markup: its cost follows its length, and no word that a reader would see is lost.</summary>
public sealed class HtmlTextTests
{
    private const int BytesPerCharacter = 32;
    private const int StepsPerCharacter = 4;

    // In a mixed page each of the 18 elements that are left out or raw may have its end searched for once through the whole of it.
    private const int MostStepsPerCharacter = 22;

    // None of them hides anything, so every word between them is one that a reader sees.
    private static readonly string[] VisibleTags =
    [
        "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<i a=1 b='2' c=\"3\">", "</i>", "<a href=\"x>y\">", "</a>", "<span>",
        "</span>", "<br>", "<h1>", "</h1>", "<h3>", "</h2>", "<ul>", "</ul>", "<ol start=7>", "</ol>", "<li>", "</li>", "<dl>", "</dl>",
        "<dt>", "<dd>", "</dd>", "<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th colspan=2>", "<tbody>", "<caption>",
        "</caption>", "<pre>", "</pre>", "<blockquote>", "</blockquote>", "<section>", "</section>", "<x-card>", "</x-card>", "<hr/>",
        "<nav>", "<title>", "<textarea>", "<img>", "<object>", "</object>", "<form>", "</form>", "<option>", "<select>", "</select>",
        "</body>", "</html>", "<main>", "<!-- c -->", "<script>no < yes</script>", "<style>no</style>", "<p hidden>no</p>",
        "<svg><text>no</svg>", " ", "\n",
    ];

    private static readonly string[] Pieces =
    [
        .. VisibleTags, "<", ">", "</", "<!--", "-->", "--!>", "<!", "<?", "\"", "'", "=", "&", "&amp", "&#x", "&#99999999999;",
        "&notit;", "word", "😀", "\uD83D", "\0", "<script>", "</script", "<title ", "</title>", "<textarea", "</textarea>", "<a b=\"",
        "<a b='>", "<svg", "</svg>", "</nav>", "<template>", "</template>", "<div hidden>", "<p style='display:none'>", "<xmp>",
        "<frameset>", "<dialog>", "</table", "<li value=-3>", "\r",
    ];

    private static readonly Regex Word = new(@"w\d+", RegexOptions.None, TimeSpan.FromSeconds(5));

    public static TheoryData<string, string> Attacks() => new()
    {
        { "<p>" + string.Concat(Enumerable.Range(0, 2000).Select(i => $"<b a{i}>")), "<p>x" },
        { "", "<div>" }, { "", "<div>x" }, { "", "<b>" }, { "<a ", "a " }, { "", "<a b " }, { "", "<!--" }, { "", "<" }, { "", "&" },
        { "", "</x " }, { "", "<a b=\"" }, { "", "<a b=\">x" }, { "", "<a b='\"" }, { "", "<x y=\"><" }, { "", "<title>" },
        { "", "<textarea>" }, { "", "<script>" }, { "", "</script" }, { "", "<nav>" }, { "", "<nav></nav" }, { "", "<svg>" },
        { "", "<p hidden>" }, { "", "<div style=';;'>" }, { "", "</div>" }, { "", "<table><tr><td>x" }, { "", "<table>x" },
        { "", "<td>x" }, { "<table><tr>", "<td>x" }, { "<table><tr>", "<td>" }, { "", "<li>x" }, { "", "<ul><li>x" },
        { "", "<blockquote>x" }, { "", "<h1><br>" }, { "", "<pre>\n x" }, { "", "<img alt=a>" }, { "", "<q>a</q>" }, { "", "<!----!>" },
        { "", "<object>" }, { "", "<x-y>a" }, { "", "&nGt;" }, { "", "<select><option>x" }, { "", "<table><tr><td>x<td>y</table>" },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void What_reading_costs_follows_the_length_whatever_the_markup(string before, string repeated)
    {
        HtmlText.Read("<p>&amp;</p>");
        foreach (var times in (int[])[5_000, 40_000])
        {
            var html = before + string.Concat(Enumerable.Repeat(repeated, times));
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            var (_, text) = HtmlText.Read(html, out var steps);
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;

            Assert.InRange(steps, 0, StepsPerCharacter * html.Length);
            Assert.InRange(allocated, 0, 100_000 + BytesPerCharacter * html.Length);
            Assert.InRange(text.Length, 0, html.Length + LineLayout.Slack);
        }
    }

    [Fact]
    public void Sixty_five_kilobytes_that_took_a_process_with_them_are_read_whole()
    {
        var open = string.Concat(Enumerable.Range(0, 2000).Select(i => $"<b a{i}>"));
        var html = $"<p>{open}{string.Concat(Enumerable.Repeat("<p>word", 6000))}";

        var page = PageText.Read(new PageContent { Html = html }, 1);

        Assert.Equal(6000, page.Text.Split("\n\n").Count(p => p == "word"));
    }

    [Fact]
    public void Text_nested_deeper_than_is_kept_is_read_as_well()
    {
        var html = $"{string.Concat(Enumerable.Repeat("<div>", 200_000))}deep{string.Concat(Enumerable.Repeat("</div>", 200_000))}<p>after";

        Assert.Equal("deep\n\nafter", HtmlText.Read(html).Text);
    }

    [Fact]
    public void Visible_words_stay_in_their_order_in_any_soup_of_tags() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1500), Prop.ForAll(Gen.ArrayOf(Gen.Elements(VisibleTags)).ToArbitrary(), tags =>
        {
            var html = string.Concat(tags.Select((tag, i) => $"{tag}w{i}"));
            return Word.Matches(HtmlText.Read(html).Text).Select(m => m.Value).SequenceEqual(tags.Select((_, i) => $"w{i}"));
        }));

    [Fact]
    public void No_soup_throws_or_grows() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3000), Prop.ForAll(
            Gen.ArrayOf(Gen.Elements(Pieces)).ToArbitrary(), Gen.Choose(1, 40).ToArbitrary(), (pieces, times) =>
        {
            var html = string.Concat(Enumerable.Repeat(string.Concat(pieces), times));
            var (_, text) = HtmlText.Read(html, out var steps);
            return text.Length <= html.Length + LineLayout.Slack && steps <= MostStepsPerCharacter * html.Length + 100;
        }));

    [Fact]
    public void A_page_without_a_title_is_called_by_its_heading()
    {
        var page = PageText.Read(new PageContent { Html = "\uFEFF <h1> A &amp; B </h1>\r\n<p>text</p>\n" }, 4);

        Assert.Equal(("A & B", "# A & B\n\ntext"), (page.Title, page.Text));
    }
}
