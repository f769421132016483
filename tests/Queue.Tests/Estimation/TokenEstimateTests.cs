using System.Diagnostics;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using LlmQueue.Contracts;
using LlmQueue.Worker.Estimation;
using Xunit;

namespace LlmQueue.Tests.Estimation;

public sealed class TokenEstimateTests
{
    private const string English = "The queue keeps every task in a row of the database, so that nothing is lost when a worker dies. "
        + "A message only says that there is something to look at; "
        + "what has to be done follows from the row itself, and a second message changes nothing at all. ";
    private const string German = "Die Warteschlange hält jede Aufgabe als Zeile in der Datenbank, damit nichts verloren geht, "
        + "wenn ein Arbeiter stirbt. Eine Nachricht sagt nur, dass es etwas zu tun gibt; "
        + "was genau zu tun ist, folgt aus der Zeile selbst, und eine zweite Nachricht ändert überhaupt nichts. ";
    private const string Finnish = "Jono säilyttää jokaisen tehtävän tietokannan rivinä, jotta mitään ei katoa, kun työntekijä kuolee. "
        + "Viesti kertoo vain, että jotakin on katsottava; "
        + "se, mitä on tehtävä, seuraa itse rivistä, eikä toinen viesti muuta yhtään mitään. ";
    private const string Russian = "Очередь хранит каждую задачу в строке базы данных, чтобы ничего не терялось, когда работник умирает. "
        + "Сообщение говорит лишь о том, что есть на что посмотреть; "
        + "что именно делать, следует из самой строки, и второе сообщение ничего не меняет. ";
    private const string Ukrainian = "Черга зберігає кожне завдання в рядку бази даних, щоб нічого не губилося, коли працівник помирає. "
        + "Повідомлення лише каже, що є на що подивитися; "
        + "що саме робити, випливає із самого рядка, і друге повідомлення нічого не змінює. ";
    private const string Korean =
        "큐는 모든 작업을 데이터베이스의 행으로 보관하므로 작업자가 죽어도 아무것도 잃지 않습니다. 메시지는 볼 것이 있다는 것만 알려 주며, 무엇을 해야 하는지는 행 자체에서 나오고 두 번째 메시지는 아무것도 바꾸지 않습니다. ";
    private const string Chinese = "队列把每个任务保存为数据库中的一行，因此工作进程崩溃时不会丢失任何内容。消息只说明有东西需要查看；要做什么由该行本身决定，第二条消息不会改变任何事情。";

    // Fewest and most characters for a token that six models' own counts gave for parallel texts (korchasa/tldr); Chinese from
    // the vendors' ratios.
    [Theory]
    [InlineData(English, 3.45, 4.42)]
    [InlineData(German, 2.5, 3.6)]
    [InlineData(Finnish, 2.43, 3.18)]
    [InlineData(Russian, 2.98, 4.07)]
    [InlineData(Ukrainian, 2.10, 3.28)]
    [InlineData(Korean, 1.46, 2.08)]
    [InlineData(Chinese, 1.25, 1.8)]
    public void Lies_near_what_models_counted_and_the_margin_is_on_the_careful_side(string text, double fewest, double most)
    {
        var repeated = string.Concat(Enumerable.Repeat(text, 10));
        var units = TokenEstimateRule.Units(repeated);

        Assert.InRange(units, 0.78 * repeated.Length / fewest, 1.33 * repeated.Length / most);
        Assert.True(TokenEstimateRule.Margin * units > repeated.Length / ((fewest + most) / 2),
            $"{units} units for {repeated.Length} characters");
    }

    [Theory]
    [InlineData("1234567890", 4, 10)]
    [InlineData("----------------------------------------", 1, 10)]
    [InlineData("\n\n\n\n\n\n", 1, 3)]
    [InlineData("                                        ", 1, 5)]
    [InlineData("{\"id\":17,\"name\":\"x\"}", 8, 20)]
    [InlineData("aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ", 12, 26)]
    [InlineData("SELECT NAME FROM TASKS", 5, 12)]
    [InlineData("👍👍👍", 3, 12)]
    public void Odd_text_costs_what_tokenizers_make_of_it(string text, double least, double most) =>
        Assert.InRange(TokenEstimateRule.Units(text), least, most);

    [Fact]
    public void Every_message_costs_its_role_and_separators()
    {
        var learned = new TokenCalibration(0, 1, TokenCalibration.Enough);

        Assert.Equal(3 * TokenEstimateRule.TokensPerMessage,
            TokenEstimateRule.EstimatePromptTokens([new("user", ""), new("user", ""), new("user", "")], learned));
    }

    [Fact]
    public void The_margin_is_kept_until_enough_was_learned()
    {
        LlmMessage[] prompt = [new("user", string.Concat(Enumerable.Repeat(English, 20)))];
        var few = TokenEstimateRule.EstimatePromptTokens(prompt, new TokenCalibration(0, 1, TokenCalibration.Enough - 1));
        var enough = TokenEstimateRule.EstimatePromptTokens(prompt, new TokenCalibration(0, 1, TokenCalibration.Enough));

        Assert.InRange(few / (double)enough, 1.14, 1.16);
    }

    [Fact]
    public void What_was_learned_moves_the_estimate()
    {
        LlmMessage[] prompt = [new("user", English)];
        var units = TokenEstimateRule.UnitsWithFrame(prompt);

        Assert.Equal((int)Math.Ceiling(67 + (1.2 * units)),
            TokenEstimateRule.EstimatePromptTokens(prompt, new TokenCalibration(67, 1.2, 100)));
    }

    [Theory]
    [InlineData(0, double.NaN)]
    [InlineData(0, 0)]
    [InlineData(0, 100)]
    [InlineData(-50, 1)]
    [InlineData(double.PositiveInfinity, 1)]
    public void A_fit_that_went_wrong_is_not_used(double a, double b) =>
        Assert.Equal(
            TokenEstimateRule.EstimatePromptTokens([new("user", English)], TokenCalibration.None),
            TokenEstimateRule.EstimatePromptTokens([new("user", English)], new TokenCalibration(a, b, 1000)));

    [Fact]
    public void Never_more_than_the_bytes_and_never_less_for_more_text() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000),
            Prop.ForAll(ArbMap.Default.ArbFor<string>(), ArbMap.Default.ArbFor<string>(), (one, other) =>
        {
            var (a, both) = (TokenEstimateRule.Units(one ?? ""), TokenEstimateRule.Units((one ?? "") + (other ?? "")));
            // A text of several scripts may be re-read as another language when it grows, which moves its letters' rate;
            // nothing else may shrink.
            return a >= 0 && both <= Encoding.UTF8.GetByteCount((one ?? "") + (other ?? "")) + 1e-9 && both >= a * 0.69 - 1e-9;
        }));

    [Fact]
    public void A_million_characters_are_one_pass_without_garbage()
    {
        var text = string.Concat(Enumerable.Repeat(English + Korean + German, 2000));
        _ = TokenEstimateRule.Units(text);
        var bytes = GC.GetAllocatedBytesForCurrentThread();
        var begun = Stopwatch.GetTimestamp();

        _ = TokenEstimateRule.Units(text);

        Assert.Equal(bytes, GC.GetAllocatedBytesForCurrentThread());
        Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(2),
            $"{text.Length} characters took {Stopwatch.GetElapsedTime(begun)}");
    }
}
