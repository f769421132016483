using System.Net.Sockets;
using LlmQueue.Storage.Loops;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Npgsql;
using RabbitMQ.Client.Exceptions;

namespace LlmQueue.Hosting;

/// <summary>Console logging: one line an entry; libraries only from warnings up.</summary>
public static class QueueConsole
{
    public static ILoggingBuilder AddQueueConsole(this ILoggingBuilder logging, LogLevel ours = LogLevel.Information)
    {
        logging.ClearProviders();
        logging.AddConsole(console => console.FormatterName = LineFormatter.Id);
        logging.Services.AddSingleton<ConsoleFormatter, LineFormatter>();
        logging.SetMinimumLevel(LogLevel.Warning);
        logging.AddFilter("LlmQueue", ours);
        // A failed statement reaches us as an exception and is said once, where it matters; EF says it again, and also when it only asks
        // whether its table is there.
        logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Command", LogLevel.None);
        logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Connection", LogLevel.None);
        logging.AddFilter("Microsoft.EntityFrameworkCore.Query", LogLevel.None);
        logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        return logging;
    }
}

/// <summary>
/// Formats a log entry as one line: time, level, category, message, exception. A broker or a database that is away is one sentence: the
/// caller retries by itself, and the stack, thousands of characters where libraries wrap each other's, does not say why.
/// </summary>
public sealed class LineFormatter() : ConsoleFormatter(Id)
{
    public const string Id = "line";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        textWriter.Write($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {Word(logEntry.LogLevel)}: "
            + $"{logEntry.Category}[{logEntry.EventId.Id}] {OneLine(message)}");
        if (logEntry.Exception is { } exception)
            textWriter.Write(
                IsAway(exception) ? $" ({OneLine(exception.GetBaseException().Message)})" : $" {OneLine(exception.ToString())}");
        textWriter.Write('\n');
    }

    private static bool IsAway(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
            if (e is BrokerUnreachableException or AlreadyClosedException or OperationInterruptedException
                or ConnectionException or SocketException or EndOfStreamException
                || (e is NpgsqlException && DatabaseFaults.IsPassing(e)))
                return true;
        return false;
    }

    private static string OneLine(string text) => VisibleText.Line(text.ReplaceLineEndings(" "));

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce", LogLevel.Debug => "dbug", LogLevel.Information => "info", LogLevel.Warning => "warn",
        LogLevel.Error => "fail", _ => "crit",
    };
}
