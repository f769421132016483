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
        // A failed statement reaches us as an exception and is said once, where it matters; EF says it again, and also when it only asks whether its table is there.
        logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Command", LogLevel.None);
        logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Connection", LogLevel.None);
        logging.AddFilter("Microsoft.EntityFrameworkCore.Query", LogLevel.None);
        logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        return logging;
    }
}
