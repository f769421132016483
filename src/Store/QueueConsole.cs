using Microsoft.Extensions.Logging;

namespace LlmQueue.Store;

/// <summary>One line an entry; the chatter of libraries only from warnings up.</summary>
public static class QueueConsole
{
    public static ILoggingBuilder AddQueueConsole(this ILoggingBuilder logging, LogLevel ours = LogLevel.Information)
    {
        logging.ClearProviders();
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        });
        logging.SetMinimumLevel(LogLevel.Warning);
        logging.AddFilter("LlmQueue", ours);
        logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        return logging;
    }
}
