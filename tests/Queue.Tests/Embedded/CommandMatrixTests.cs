using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Embedded;

/// <summary>
/// Every command of the README as the process that a person starts, in every circumstance: it ends with its code and a
/// sentence, never with a stack.
/// </summary>
[UnsupportedOSPlatform("windows")]
public sealed class CommandMatrixTests(CommandHome home) : IClassFixture<CommandHome>
{
    private const string Unknown = "0199aa41-5e0c-7c11-9f0e-0d2f4b1a9c55";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>With hashed tokens, of which nobody on the machine has the secret.</summary>
    [Fact]
    public async Task Beside_a_running_queue_every_command_works()
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("a-secret-that-nobody-wrote-down")));
        (string, string?)[] settings = [("LLMQUEUE_TOKENS", $"anna:sha256-{hash}"), ("LLMQUEUE_REQUESTS_PER_MINUTE", "2")];
        await using var server = await home.Serve(settings);

        await home.Check(
            [
                new(["status"], 0, "Tasks"),
                new(["status", Unknown], 2, "Neither a task nor a summary has the id"),
                new(["budget", "5"], 0, "The budget of installation for a day is $5."),
                new(["submit", home.Tasks, "--wait"], 0, "1 of 1 tasks have their answer"),
                new(["summarize", home.Pages], 0, "Calls made"),
                new(["route", "Translate this into French: good morning"], 0, "what it is"),
                new(["doctor"], 0, "a queue runs at"),
                new([], 2, "another program listens on port"),
            ],
            settings);
        await home.Check(
            [
                new(["status", CommandHome.TaskId], 0, "Completed"),
                new(["submit", home.Tasks], 0, CommandHome.TaskId),
                new(["status"], 0, "all 1 open, at most 1 % of a window in use"),
            ],
            settings);
        await The_token_of_the_commands_counts_for_nobody_else();
        await CommandHome.Stop(server);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("anna:first-secret-of-anna,ben:second-secret-of-ben")]
    public async Task With_plain_tokens_and_with_none_the_commands_work_as_well(string? tokens)
    {
        await using var server = await home.Serve(("LLMQUEUE_TOKENS", tokens));

        await home.Check([new(["status"], 0, "Tasks"), new(["budget", "7"], 0, "is $7.")], ("LLMQUEUE_TOKENS", tokens));
        await CommandHome.Stop(server);
    }

    [Fact]
    public async Task While_no_queue_runs_every_command_works()
    {
        await home.CheckInTurn(
        [
            new(["status"], 0, "Tasks"),
            new(["status", Unknown], 2, "Neither a task nor a summary has the id"),
            new(["budget", "5"], 0, "The budget of installation for a day is $5."),
            new(["submit", home.Tasks], 0, CommandHome.TaskId),
            new(["submit", home.Tasks, "--wait"], 0, "1 of 1 tasks have their answer"),
            new(["summarize", home.Pages, "--question", "When?"], 0, "Calls made"),
            new(["status", CommandHome.TaskId], 0, "Completed"),
            new(["route", "Translate this into French: good morning"], 0, "what it is"),
            new(["doctor"], 0, "private, PostgreSQL"),
        ]);

        Assert.Equal(OwnerOnly, File.GetUnixFileMode(Path.Combine(home.Data, "llmqueue.log")));
    }

    [Fact]
    public async Task With_the_database_away_every_command_says_so()
    {
        var away = ("DATABASE_URL", $"postgres://queue:queue@127.0.0.1:{Ports.Free()}/queue");

        await home.Check(
            [
                new(["status"], 2, "The database of DATABASE_URL"),
                new(["status", CommandHome.TaskId], 2, "The database of DATABASE_URL"),
                new(["budget", "5"], 2, "The database of DATABASE_URL"),
                new(["submit", home.Tasks], 2, "The database of DATABASE_URL"),
                new(["submit", home.Tasks, "--wait"], 2, "The database of DATABASE_URL"),
                new(["summarize", home.Pages], 2, "The database of DATABASE_URL"),
                new(["route", "Translate this into French: good morning"], 0, "what it is"),
                new(["doctor"], 1, "The database of DATABASE_URL"),
                new([], 2, "The database of DATABASE_URL"),
            ],
            away!);
    }

    [Fact]
    public async Task What_was_asked_wrongly_is_answered_in_a_sentence()
    {
        await home.Check(
        [
            new(["status", "xyz"], 2, "'xyz' is no id"),
            new(["status", "one", "two"], 2, "Usage"),
            new(["budget"], 2, "Usage"),
            new(["budget", "much"], 2, "'much' is no amount"),
            new(["budget", "79000000000000000000000000000"], 2, "is no amount"),
            new(["budget", "5", "--period", "year"], 2, "year"),
            new(["submit", Path.Combine(home.Folder, "nothing.jsonl")], 2, "cannot be read"),
            new(["submit", home.Folder], 2, "cannot be read"),
            new(["submit", "/dev/zero"], 2, "It is a pipe, a socket or a device"),
            new(["summarize"], 2, "Usage"),
            new(["summarize", Path.Combine(home.Folder, "nowhere")], 2, "There is no file or folder"),
            new(["summarize", home.Pages, "--model", "nobody:none"], 2, "nobody:none"),
            new(["route", ""], 2, "The text is empty"),
            new(["route", "x", "--load", "7"], 2, "--load is 7"),
            new(["doctor", "now"], 2, "Usage"),
            new(["frobnicate\u001b[2J"], 2, "frobnicate␛[2J"),
        ]);
        await home.Check([new([], 2, "LLMQUEUE_URL"), new(["status"], 2, "LLMQUEUE_URL"), new(["doctor"], 1, "LLMQUEUE_URL")],
            ("LLMQUEUE_URL", "ftp://here"));
    }

    private async Task The_token_of_the_commands_counts_for_nobody_else()
    {
        var file = Path.Combine(home.Data, "cli-token");
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(file));
        using var http = new HttpClient { BaseAddress = home.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await File.ReadAllTextAsync(file, Cancel));
        // More often than a tenant may: it is no tenant's.
        for (var i = 0; i < 4; i++)
            Assert.Equal(HttpStatusCode.OK, await Status(http));

        http.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        Assert.Equal(HttpStatusCode.Forbidden, await Status(http));
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "another");
        Assert.Equal(HttpStatusCode.Unauthorized, await Status(http));
    }

    private static async Task<HttpStatusCode> Status(HttpClient http)
    {
        using var answer = await http.GetAsync("/v1/queue", Cancel);
        return answer.StatusCode;
    }
}
