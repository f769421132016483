using System.Text;
using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Worker.PageSummaries.Extraction;

namespace LlmQueue.Tests.PageSummaries;

/// <summary>
/// The summary that needs no model: which sentences it takes, in which languages, and what it does with what is no prose.
/// </summary>
public sealed class ExtractRuleTests
{
    private static readonly ExtractLimits Short = new(260);

    private const string English = """
        # Heat pumps

        A heat pump moves heat from a cold place to a warm one, e.g. from the ground into a house. Dr. Weber measured 3.5 kWh of heat for each kWh of electricity.
        The weather was pleasant on the day of the visit. Heat pumps need electricity, and the price of electricity decides whether heat pumps pay.

        ```bash
        heat --pump electricity price heat pumps pay
        ```

        | heat | pump |
        |---|---|
        | electricity | price |

        - The price of electricity has doubled, so heat pumps pay only where electricity is cheap.
        - Somebody had left an umbrella in the hall.
        """;

    [Fact]
    public void Takes_the_sentences_the_others_are_about_in_their_order()
    {
        var extract = ExtractRule.Decide(English, Short);

        Assert.Contains("the price of electricity decides whether heat pumps pay.", extract, StringComparison.Ordinal);
        Assert.DoesNotContain("umbrella", extract, StringComparison.Ordinal);
        Assert.DoesNotContain("weather", extract, StringComparison.Ordinal);
        // Neither a program nor a table nor a heading is a sentence.
        Assert.DoesNotContain("--pump", extract, StringComparison.Ordinal);
        Assert.DoesNotContain("|", extract, StringComparison.Ordinal);
        Assert.InRange(extract.Length, 60, Short.MostCharacters);
    }

    [Theory]
    [InlineData(
        "A pump moves heat, e.g. from the ground. Dr. Weber measured 3.5 kWh on 3. May. Does it pay in the end? It does so in most houses!",
        4)]
    [InlineData(
        "Die Pumpe fördert Wärme, z. B. aus dem Boden. Am 3. Mai kam Hr. Weber. Das kostet ca. 20 Euro im Monat. "
            + "„Lohnt sich das auch?“ Es lohnt sich sehr.",
        5)]
    [InlineData(
        "La pompe déplace la chaleur, p. ex. du sol vers la maison. Mme. Durand est venue hier soir. "
            + "« Est-ce que cela est utile ? » Elle le croit vraiment.",
        4)]
    [InlineData(
        "La bomba mueve el calor del suelo. El Sr. García midió 3.5 kWh de calor. ¿Merece la pena hacerlo? ¡Claro que sí, mucho!", 4)]
    [InlineData("热泵把热量从地下送到房屋里。电价决定热泵是否划算！你觉得这样值得吗？", 3)]
    [InlineData("ヒートポンプは地中の熱を家に運びます。電気代が高いと得になりません。", 2)]
    [InlineData("Тепловой насос переносит тепло из земли. Цена электричества решает всё дело!", 2)]
    public void Cuts_sentences_where_a_reader_would(string text, int sentences)
    {
        var cut = Sentences.Of(text);
        Assert.True(sentences == cut.Count, string.Join("\n", cut));
    }

    [Theory]
    [InlineData(
        "Die Wärmepumpe braucht Strom. Ob sich eine Wärmepumpe lohnt, entscheidet der Preis für den Strom. Am Nachmittag hat es in der "
            + "Stadt ein wenig geregnet. Der Preis für Strom steigt, und die Wärmepumpe lohnt sich dann nicht mehr.",
        "Preis", "geregnet")]
    [InlineData(
        "La pompe à chaleur consomme de l'électricité. Le prix de l'électricité décide si la pompe à chaleur est rentable. "
            + "Hier après-midi, il a plu un peu dans la ville. Le prix monte et la pompe à chaleur n'est plus rentable.",
        "prix", "il a plu")]
    [InlineData(
        "La bomba de calor necesita electricidad. El precio de la electricidad decide si la bomba de calor es rentable. "
            + "Por la tarde llovió un poco en toda la ciudad. El precio sube y la bomba de calor ya no es rentable.",
        "precio", "llovió")]
    [InlineData("热泵需要消耗电力才能工作。电价决定了热泵是否真正划算。昨天下午城里下了一点小雨。电价上涨以后热泵就不再划算了。", "电价", "小雨")]
    [InlineData("ヒートポンプは電気を使います。電気の値段がヒートポンプの損得を決めます。昨日の午後は町で少し雨が降った。電気の値段が上がるとヒートポンプは得をしません。", "値段", "雨")]
    public void Finds_what_a_text_is_about_in_its_own_language(string text, string about, string aside)
    {
        var extract = ExtractRule.Decide(text, new ExtractLimits(text.Contains('。') ? text.Length * 2 : text.Length * 2 / 3));

        Assert.Contains(about, extract, StringComparison.Ordinal);
        Assert.DoesNotContain(aside, extract, StringComparison.Ordinal);
    }

    [Fact]
    public void A_question_draws_the_sentences_that_speak_of_it()
    {
        var filler = string.Join(' ',
            Enumerable.Range(0, 12).Select(i => $"The pump of house {i} moves heat from the ground with electricity every day."));
        var text = $"{filler} Maintenance of the compressor is due after four years. {filler}";

        Assert.DoesNotContain("compressor", ExtractRule.Decide(text, new ExtractLimits(200)), StringComparison.Ordinal);
        Assert.Contains("compressor",
            ExtractRule.Decide(text, new ExtractLimits(200, Question: "When is maintenance of the compressor due?")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_said_is_not_said_twice()
    {
        var extract = ExtractRule.Decide(
            "The queue keeps every task as a row in its database. Every task is kept by the queue as a row in its database. "
                + "Messages only ring a bell for whoever works.",
            new ExtractLimits(1000));

        Assert.Single(extract.Split("row in its database"),
            part => part.Length == 0 || part.StartsWith('.') || part.StartsWith(" ", StringComparison.Ordinal) || part.EndsWith('.'));
        Assert.Contains("ring a bell", extract, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("| name | unit |\n|---|---|\n| system.cpu.time | s |\n| system.cpu.load | 1 |")]
    [InlineData("```\nvar x = 1;\n```")]
    [InlineData("kw1\nkw2\nkw3")]
    public void A_page_without_a_sentence_gives_its_lines(string text) => Assert.NotEmpty(ExtractRule.Decide(text, Short));

    [Fact]
    public void Whatever_the_text_the_extract_is_of_it_bounded_and_the_same_again() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(150), Prop.ForAll(
            Gen.Elements("Heat moves. ", "热泵。", "e.g. ", "\n\n", "- item of a list ", "```\n", "| a |\n", "\ud83d\ude00", "?!", "word ",
                "Ünïcode wörds here. ", "[link](http://x.y) ")
                .ArrayOf()
                .ToArbitrary(),
            pieces =>
        {
            var text = string.Concat(pieces);
            var extract = ExtractRule.Decide(text, Short);
            // One sentence alone may be longer than the limit, and no sentence is above 600 characters and what closes it.
            return extract.Length <= 700
                && extract == ExtractRule.Decide(text, Short)
                && (extract.Length > 0 || !text.Any(char.IsLetterOrDigit));
        }));

    [Fact]
    public void A_book_is_thinned_out_before_it_is_compared()
    {
        var book = new StringBuilder();
        for (var i = 0; i < 40_000; i++)
            book.Append($"Sentence number {i} of this book speaks of chapter {i / 100} and of matter {i * 7919 % 1000}. ");

        // 40,000 sentences are 800 million pairs: comparing them all would be minutes and gigabytes.
        Assert.NotEmpty(ExtractRule.Decide(book.ToString(), new ExtractLimits(900)));
    }
}
