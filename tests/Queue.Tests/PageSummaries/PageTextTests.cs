using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Tests.Api;
using LlmQueue.Worker.PageSummaries.Pages;

namespace LlmQueue.Tests.PageSummaries;

public sealed class PageTextTests
{
    private static readonly string[] Words =
        ["queue", "the", "Warteschlange", "задача", "任务", "작업", "👍", "a", "x1f4", "supercalifragilistic", "€5.30", "e\u0301"];
    private static readonly string[] Gaps = [" ", " ", " ", ". ", "\n", "\n\n", "", "", "\t"];

    private static readonly Gen<string> Texts =
        from pieces in Gen.ArrayOf(
            from word in Gen.Elements(Words)
            from gap in Gen.Elements(Gaps)
            from times in Gen.Choose(1, 12)
            select string.Concat(Enumerable.Repeat(word, times)) + gap)
        from repeat in Gen.Choose(1, 6)
        select string.Concat(Enumerable.Repeat(string.Concat(pieces), repeat));

    [Fact]
    public void Splitting_loses_nothing_but_white_space() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400),
            Prop.ForAll(Texts.ToArbitrary(), Gen.Choose(40, 400).ToArbitrary(), (text, most) =>
            Solid(string.Concat(PageText.Split(text, most))) == Solid(text)));

    [Fact]
    public void Every_part_is_within_the_limit_and_none_is_empty() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400),
            Prop.ForAll(Texts.ToArbitrary(), Gen.Choose(40, 400).ToArbitrary(), (text, most) =>
        {
            var parts = PageText.Split(text, most);
            return parts.All(p => PageText.Tokens(p) <= most) && (parts.Count == 1 || parts.All(p => p.Trim().Length > 0));
        }));

    [Fact]
    public void No_part_begins_or_ends_in_the_middle_of_a_character() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(100),
            Prop.ForAll(Gen.Choose(1, 3000).ToArbitrary(), Gen.Choose(20, 100).ToArbitrary(), (length, most) =>
            PageText.Split(string.Concat(Enumerable.Repeat("😀", length)), most)
                .All(p => !char.IsLowSurrogate(p[0]) && !char.IsHighSurrogate(p[^1]))));

    [Fact]
    public void A_text_that_fits_is_one_part_as_it_is() => Assert.Equal(["One.\n\n  Two."], PageText.Split("One.\n\n  Two.", 100));

    [Fact]
    public void Cuts_where_a_reader_would()
    {
        var paragraph = string.Join(' ', Enumerable.Repeat("This sentence has seven words in it.", 8));

        var parts = PageText.Split($"{paragraph}\n\n{paragraph}\n\n{paragraph}", PageText.Tokens(paragraph) + 20);

        Assert.Equal([paragraph, paragraph, paragraph], parts);
        Assert.All(PageText.Split(paragraph, PageText.Tokens(paragraph) / 2 + 10),
            part => Assert.EndsWith("it.", part, StringComparison.Ordinal));
    }

    [Fact]
    public void Html_is_reduced_to_what_a_reader_reads()
    {
        var page = PageText.Read(new PageContent
        {
            Html = """
                <html><head><title>The queue &amp; you</title><style>p { color: red }</style><script>alert("no")</script></head>
                <body><nav>Home | About</nav><h1>Rows</h1><p>A task is a <b>row</b>.</p><ul><li>One</li><li>Two</li></ul>
                <table><tr><td>left</td><td>right</td></tr></table><footer>© nobody</footer><noscript>old</noscript></body></html>
                """,
        }, number: 3);

        Assert.Equal("The queue & you", page.Title);
        Assert.Contains("A task is a row.", page.Text, StringComparison.Ordinal);
        Assert.Contains("- One\n- Two", page.Text, StringComparison.Ordinal);
        Assert.All(["alert", "color", "Home", "nobody", "old", "<"],
            noise => Assert.DoesNotContain(noise, page.Text, StringComparison.Ordinal));
        Assert.DoesNotContain("\n\n\n", page.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Given", "# Heading\ntext", "Given")]
    [InlineData(null, "intro\n# Heading \ntext", "Heading")]
    [InlineData("  ", "text", "Page 7")]
    public void A_page_is_called_by_its_title_its_heading_or_its_number(string? title, string text, string expected) =>
        Assert.Equal(expected, PageText.Read(new PageContent { Title = title, Text = text }, 7).Title);

    [Fact]
    public void The_beginning_of_a_text_is_the_beginning_of_it() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200),
            Prop.ForAll(Texts.ToArbitrary(), Gen.Choose(20, 200).ToArbitrary(), (text, most) =>
        {
            var beginning = PageText.Beginning(text, most);
            return PageText.Tokens(beginning) <= most && Solid(text).StartsWith(Solid(beginning), StringComparison.Ordinal);
        }));

    private static string Solid(string text) => string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
}
