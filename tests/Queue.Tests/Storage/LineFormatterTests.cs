using LlmQueue.Hosting;
using MassTransit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Quartz;
using RabbitMQ.Client.Exceptions;

namespace LlmQueue.Tests.Storage;

public sealed class LineFormatterTests
{
    [Fact]
    public void A_broker_that_is_away_is_one_sentence_without_a_stack()
    {
        var line = Written("MassTransit", "Connection Failed: amqp://broker/", Thrown(() => throw new RabbitMqConnectionException(
            "Broker unreachable", new BrokerUnreachableException(new System.Net.Sockets.SocketException(111)))));

        Assert.Matches(@"^\d\d:\d\d:\d\d\.\d{3} warn: MassTransit\[0\] Connection Failed: amqp://broker/ \(Connection refused\)\n$", line);
    }

    [Fact]
    public void A_database_that_is_away_is_one_sentence_however_deep_a_library_wraps_it()
    {
        var gone = new PostgresException("terminating connection due to administrator command", "FATAL", "FATAL",
            PostgresErrorCodes.AdminShutdown);

        var line = Written("Quartz", "Transient exception on attempt 1 of 4.",
            Thrown(() => throw new JobPersistenceException("Couldn't acquire next trigger", gone)));

        Assert.EndsWith(" Transient exception on attempt 1 of 4. (57P01: terminating connection due to administrator command)\n", line,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_statement_that_is_wrong_keeps_its_stack()
    {
        var wrong = new PostgresException("column \"x\" does not exist", "ERROR", "ERROR", PostgresErrorCodes.UndefinedColumn);

        Assert.Contains(nameof(A_statement_that_is_wrong_keeps_its_stack),
            Written("LlmQueue.Worker", "A sweep failed.", Thrown(() => throw wrong)), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_other_fault_keeps_its_stack_on_the_same_line()
    {
        var line = Written("LlmQueue.Worker", "A sweep failed.", Thrown(() => throw new InvalidOperationException("not\nexpected")));

        Assert.Contains("System.InvalidOperationException: not expected", line, StringComparison.Ordinal);
        Assert.Contains(nameof(Any_other_fault_keeps_its_stack_on_the_same_line), line, StringComparison.Ordinal);
        Assert.Equal(1, line.Count(c => c == '\n'));
    }

    private static string Written(string category, string message, Exception exception)
    {
        using var writer = new StringWriter();
        new LineFormatter().Write(new LogEntry<string>(LogLevel.Warning, category, 0, message, exception, (state, _) => state),
            scopeProvider: null, writer);
        return writer.ToString();
    }

    private static Exception Thrown(Action act) => Record.Exception(act)!;
}
