using System.Globalization;
using LlmQueue.Hosting;

namespace LlmQueue.Embedded.Hosting;

/// <summary>A log file for a command whose terminal belongs to its display: one line an entry; the file before it is kept.</summary>
internal sealed class FileLog(string path, TimeProvider clock) : ILoggerProvider
{
    private const long LargestFile = 10_000_000;

    private readonly Lock turn = new();
    private StreamWriter? writer;
    private bool broken;

    public ILogger CreateLogger(string categoryName) => new Entry(this, categoryName);

    public void Dispose()
    {
        lock (turn)
        {
            writer?.Dispose();
            (writer, broken) = (null, true);
        }
    }

    private void Write(string line)
    {
        lock (turn)
        {
            if (broken)
                return;
            try
            {
                if (writer is { BaseStream.Length: > LargestFile })
                    Roll();
                writer ??= Open();
                writer.WriteLine(line);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Work goes on without a log; a full disk stops it soon enough, with a reason of its own.
                broken = true;
            }
        }
    }

    private StreamWriter Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return new StreamWriter(OwnerFile.Open(path, FileMode.Append)) { AutoFlush = true };
    }

    private void Roll()
    {
        writer?.Dispose();
        writer = null;
        File.Move(path, path + ".1", overwrite: true);
    }

    private sealed class Entry(FileLog file, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var at = file.clockNow.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
            var fault = exception is null ? "" : $" {exception.ToString().ReplaceLineEndings(" | ")}";
            file.Write(VisibleText.Line($"{at} {logLevel} {category}: {formatter(state, exception)}{fault}"));
        }
    }

    private DateTimeOffset clockNow => clock.GetUtcNow();
}
