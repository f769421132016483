using LlmQueue.Store;
using MassTransit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RabbitMQ.Client.Exceptions;

namespace LlmQueue.Tests.Store;

public sealed class LineFormatterTests
{
    [Fact]
    public void A_broker_that_is_away_is_one_sentence_without_a_stack()
    {
        var line = Written("MassTransit", "Connection Failed: amqp://broker/", Thrown(() => throw new RabbitMqConnectionException("Broker unreachable", new BrokerUnreachableException(new System.Net.Sockets.SocketException(111)))));

        Assert.Matches(@"^\d\d:\d\d:\d\d\.\d{3} warn: MassTransit\[0\] Connection Failed: amqp://broker/ \(Connection refused\)\n$", line);
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
        new LineFormatter().Write(new LogEntry<string>(LogLevel.Warning, category, 0, message, exception, (state, _) => state), scopeProvider: null, writer);
        return writer.ToString();
    }

    private static Exception Thrown(Action act) => Record.Exception(act)!;
}
