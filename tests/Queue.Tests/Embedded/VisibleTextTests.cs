using System.Runtime.Versioning;
using System.Text.Json;
using LlmQueue.Contracts;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Embedded.Tasks;
using LlmQueue.Hosting;
using LlmQueue.Storage.Queue;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Api;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Tests.Embedded;

/// <summary>Nothing that comes from outside acts on the terminal or the log it is shown in.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class VisibleTextTests
{
    /// <summary>
    /// Clears the screen, renames the window, rings, goes back to the line's beginning, turns the direction, and forges a line.
    /// </summary>
    private const string Hostile = "\u001b[2J\u001b]0;mine\a\rgood\u009b31m\u202Eevil\u2066\u007f\nKey        groq-1: forged";

    private static readonly DateTime Now = new(2026, 11, 27, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void What_acts_is_shown_instead_of_done()
    {
        Assert.Equal("␛[2J␛]0;mine␇␍good<U+009B>31m<U+202E>evil<U+2066>␡␊Key        groq-1: forged", VisibleText.Line(Hostile));
        Assert.Equal("a\n\tb␛", VisibleText.Block("a\r\n\tb\u001b"));
        Assert.Equal("ä → 日本 🙂", VisibleText.Line("ä → 日本 🙂"));
    }

    [Fact]
    public void In_json_it_is_escaped_and_means_the_same()
    {
        var json = $$"""{"output":"a{{'\u202E'}}b{{'\u009b'}}"}""";

        var visible = VisibleText.InJson(json);

        Assert.DoesNotContain(visible, c => c is '\u202E' or '\u009b');
        using var read = JsonDocument.Parse(visible);
        Assert.Equal("a\u202Eb\u009b", read.RootElement.GetProperty("output").GetString());
    }

    [Fact]
    public void The_status_of_a_task_shows_a_hostile_kind_title_reason_and_answer()
    {
        var text = StatusText.Of(new TaskView
        {
            Id = Guid.NewGuid(), State = "Completed", Tenant = "default", Priority = "normal", Usage = new LlmUsage(1, 1),
            CostUnknown = false, SubmittedAt = Now,
            Title = Hostile, Kind = Hostile, Reason = Hostile, Output = Hostile, Chain = [Hostile],
            History = [new HistoryView(Now, "Completed", "Completed", Hostile)],
            Attempts =
                [new AttemptView { Number = 1, Model = Hostile, KeyAlias = "groq-1", Why = "", Outcome = "answered", Detail = Hostile }],
        });

        IsHarmless(text);
        // Only the answer itself may have lines of its own.
        Assert.Single(text.Split('\n'), line => line.StartsWith("Key ", StringComparison.Ordinal));
    }

    [Fact]
    public void The_status_of_the_queue_and_a_report_show_it_too()
    {
        IsHarmless(StatusText.Of(Queue([]) with
        {
            Waiting = [new WaitQueueView { WaitingFor = "capacity", Reason = Hostile, Buckets = [], Count = 1 }],
            Keys = [new KeyStatus("groq-1", "groq", "groq-1", 1, 0, 0, 1, 1, null, Hostile, Now)],
        }));
        IsHarmless(ReportText.ToScreen(new SummaryReport
        {
            Id = Guid.NewGuid(), State = "Completed", Simulated = false, Question = Hostile, Answer = Hostile, Summary = Hostile,
            Reason = Hostile,
            Pages = [new PageResult { Number = 1, Title = Hostile, State = "Failed", Reason = Hostile }],
            Models = [new ModelUse(Hostile, 1, 1, 1, 1, null)],
            Usage = new LlmUsage(1, 1), Calls = 1, Refused = 0, Retried = 0, Deferrals = [new DeferralCount(Hostile, 1)], Seconds = 1,
        }));
    }

    [Fact]
    public void Limits_that_were_used_a_little_are_not_called_unused()
    {
        // Two calls of 300 a minute, and of three the first is soon made up for: the windows are all but full again, and
        // was used all the same.
        var text = StatusText.Of(Queue([Bucket("one", level: 300), Bucket("two", level: 298)]));

        Assert.Contains("Limits     all 2 open, at most 1 % of a window in use", text, StringComparison.Ordinal);
        Assert.DoesNotContain("unused", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Beside_a_limit_in_use_the_others_are_counted()
    {
        var text = StatusText.Of(Queue([Bucket("one", level: 150), Bucket("two", level: 300)]));

        Assert.Contains("Limit      one: 50 % of 300 calls/min used", text, StringComparison.Ordinal);
        Assert.Contains("Limits     1 others open", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_log_file_is_its_owners_alone_and_has_one_line_an_entry()
    {
        var folder = Directory.CreateTempSubdirectory("llmqueue-log-");
        var path = Path.Combine(folder.FullName, "llmqueue.log");
        File.WriteAllText(path, "of an older version, and open to all\n");
        File.SetUnixFileMode(path, File.GetUnixFileMode(path) | UnixFileMode.OtherRead);
        using (var log = new FileLog(path, TimeProvider.System))
            log.CreateLogger("Test").LogWarning("A provider said {Text}", Hostile);

        var lines = File.ReadAllLines(path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(2, lines.Length);
        IsHarmless(lines[1]);
        folder.Delete(recursive: true);
    }

    private static void IsHarmless(string text) =>
        Assert.DoesNotContain(text, c => (char.IsControl(c) && c != '\n') || c is '\u202E' or '\u2066');

    private static QueueView Queue(IReadOnlyList<BucketStatus> buckets) => new()
    {
        At = Now, Tasks = new Dictionary<string, long>(), Summaries = new Dictionary<string, long>(), Waiting = [], Buckets = buckets,
        Budgets = [], Keys = [], Retirements = [],
    };

    private static BucketStatus Bucket(string id, double level) => new()
    {
        Id = id, Model = "groq:x", Organisation = "groq-1", Windows = [new WindowStatus("requestsPerMinute", 300, level)],
        Breaker = new BreakerStatus("closed", null, null, null, null), Waiting = 0, RequestsInFlight = 0, TokensInFlight = 0, Throttled = 0,
    };
}
