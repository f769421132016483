using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Storage.Loops;

namespace LlmQueue.Worker;

/// <summary>A worker as a process of its own, on RabbitMQ and PostgreSQL.</summary>
public static class WorkerHost
{
    private const int WrongUse = 2;

    public static async Task<int> Run(string[] args)
    {
        try
        {
            var home = Environment.GetEnvironmentVariable("LLMQUEUE_HOME") ?? Environment.CurrentDirectory;
            var variables = QueueSettings.Variables(home);
            var settings = QueueSettings.Read(variables, home);
            var problems = new List<string>();
            if (settings.DatabaseUrl is null)
                problems.Add("DATABASE_URL is not set; a worker of its own needs it, "
                    + "for example postgres://user:password@localhost:5432/llmqueue. For one process without it: ./run.sh");
            if (settings.RabbitMq is null)
                problems.Add("RABBITMQ_URL is not set; a worker of its own needs it, for example amqp://guest:guest@localhost:5672/. "
                    + "For one process without it: ./run.sh");
            if (settings.NoKeys)
                problems.Add("No provider has a key; set at least one, for example GROQ_API_KEY. For a simulated provider: ./run.sh");
            if (problems.Count > 0)
                throw new SettingsException(problems);

            var catalogue = new CurrentCatalogue(ModelCatalogue.Load(settings.CataloguePath), new CatalogueFile(settings.CataloguePath));
            var options = WorkerVariables.Read(variables);
            var builder = Host.CreateApplicationBuilder(args);
            builder.Logging.AddQueueConsole();
            builder.Services.AddQueueStorage(settings.DatabaseUrl!);
            builder.Services.AddQueueWorker(settings, catalogue, options);
            builder.Services.AddQueueUpkeep(settings.DatabaseUrl!);
            // Last, so that it stops first: open calls finish while claims, commits and the heartbeat still run.
            builder.Services.AddQueueBus(settings.RabbitMq, WorkerBus.Register, WorkerBus.Endpoints);
            builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(40));
            using var host = builder.Build();
            var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("LlmQueue.Worker");
            foreach (var warning in settings.Warnings)
                logger.LogWarning("{Warning}", warning);
            await Prepare(host.Services, logger);
            logger.LogInformation("The worker starts: {Settings}", settings);
            await host.RunAsync();
            return 0;
        }
        catch (SettingsException e)
        {
            foreach (var problem in e.Problems)
                await Console.Error.WriteLineAsync(problem);
            return WrongUse;
        }
        catch (CatalogueException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return WrongUse;
        }
        catch (InvalidOperationException e) when (e.Message.StartsWith("The database is newer", StringComparison.Ordinal))
        {
            await Console.Error.WriteLineAsync(e.Message);
            return WrongUse;
        }
    }

    /// <summary>Waits for a database that is not there yet, saying so once; then brings it up to date and opens the limits.</summary>
    public static async Task Prepare(IServiceProvider services, ILogger logger, CancellationToken cancellationToken = default)
    {
        var clock = services.GetRequiredService<TimeProvider>();
        for (var said = false; ; said = true)
        {
            try
            {
                await services.PrepareStorage(cancellationToken);
                await services.PrepareQueueWorker(cancellationToken);
                return;
            }
            catch (Exception e) when (DatabaseFaults.IsPassing(e))
            {
                if (!said)
                    logger.LogWarning("The database of DATABASE_URL does not answer ({Reason}); it is tried every 2 s until it does.",
                        e.GetBaseException().Message);
                await Task.Delay(TimeSpan.FromSeconds(2), clock, cancellationToken);
            }
        }
    }
}
