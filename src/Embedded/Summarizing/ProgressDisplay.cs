using Spectre.Console;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>Shows the progress of a summary: drawn in place on a terminal, as plain lines elsewhere.</summary>
internal interface IProgressDisplay : IAsyncDisposable
{
    void Show(ProgressLook look);
}

internal static class ProgressDisplays
{
    /// <summary>On the error stream, so that what is piped away is the result alone.</summary>
    public static IProgressDisplay Open(TimeProvider clock)
    {
        var plain = Console.IsErrorRedirected || Is("CI") || Is("NO_COLOR") || Environment.GetEnvironmentVariable("TERM") is "dumb";
        return plain ? new PlainProgress(Terminal.Say, clock) : new LiveProgress();
    }

    private static bool Is(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
}

/// <summary>Progress as plain lines: one every two seconds, only when something has changed; at once when a stage begins.</summary>
internal sealed class PlainProgress(Action<string> say, TimeProvider clock) : IProgressDisplay
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(2);

    private (string State, int Done, int Calls, int Throttled, int Waiting) last;
    private long? lastAt;

    public void Show(ProgressLook look)
    {
        var present = (look.Summary.State, look.PagesDone + look.PagesFailed, look.Summary.CallTotals.Made,
            look.Summary.CallTotals.Throttled, look.Summary.Waiting.Sum(w => w.Count));
        var due = lastAt is null || present.State != last.State || (present != last && clock.GetElapsedTime(lastAt.Value) >= Between);
        if (!due)
            return;
        (last, lastAt) = (present, clock.GetTimestamp());
        say(ProgressText.Line(look));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Progress as a bar and a few lines, drawn in place.</summary>
internal sealed class LiveProgress : IProgressDisplay
{
    private const int BarWidth = 40;

    private readonly IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task drawing;
    private LiveDisplayContext? live;

    public LiveProgress() => drawing = console.Live(new Text("Starting")).AutoClear(false).StartAsync(context =>
    {
        live = context;
        return ended.Task;
    });

    public void Show(ProgressLook look)
    {
        if (live is null)
            return;
        var share = look.Pages == 0 ? 0 : (look.PagesDone + look.PagesFailed) / (double)look.Pages;
        var full = (int)Math.Round(share * BarWidth);
        var failed = look.PagesFailed > 0 ? $", [red]{look.PagesFailed} failed[/]" : "";
        var bar = new Markup($"[bold]{Markup.Escape(ProgressText.Stage(look.Summary))}[/]  "
            + $"[green]{new string('━', full)}[/][grey]{new string('━', BarWidth - full)}[/]  "
            + $"{look.PagesDone} of {look.Pages} pages{failed}");
        live.UpdateTarget(new Rows([bar, .. ProgressText.Details(look).Select(line => new Text(line))]));
        live.Refresh();
    }

    public async ValueTask DisposeAsync()
    {
        ended.TrySetResult();
        await drawing;
    }
}
