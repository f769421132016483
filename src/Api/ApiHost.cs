using System.Net;
using System.Net.Sockets;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage;
using LlmQueue.Storage.Loops;

namespace LlmQueue.Api;

/// <summary>The API as a process of its own, beside any number of workers.</summary>
public static class ApiHost
{
    private const int WrongUse = 2;
    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(2);

    /// <returns>0 after an orderly stop; 2 when something has to be set or mended first, said in a sentence each.</returns>
    public static async Task<int> Run(TextWriter errors)
    {
        WebApplication app;
        QueueSettings settings;
        try
        {
            settings = Settings();
            app = Build(settings,
                new CurrentCatalogue(ModelCatalogue.Load(settings.CataloguePath), new CatalogueFile(settings.CataloguePath)));
        }
        catch (SettingsException wrong)
        {
            foreach (var problem in wrong.Problems)
                await errors.WriteLineAsync(problem);
            return WrongUse;
        }
        catch (CatalogueException wrong)
        {
            await errors.WriteLineAsync(wrong.Message);
            return WrongUse;
        }

        await using (app)
        {
            if (await WhyNotStarted(app, settings) is not { } problem)
            {
                await app.WaitForShutdownAsync();
                return 0;
            }

            await errors.WriteLineAsync(problem);
            return WrongUse;
        }
    }

    /// <summary>
    /// Everything wired, nothing started; without a broker's address with the bus in memory, which reaches nobody outside the process.
    /// </summary>
    public static WebApplication Build(QueueSettings settings, CurrentCatalogue catalogue)
    {
        // The folder it is started in is somebody's: its appsettings.json is not meant for this program.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseUrls(settings.ListenUrl.ToString());
        builder.Logging.AddQueueConsole();
        builder.Services.AddSingleton<Preparation>();
        builder.Services.AddQueueStorage(settings.DatabaseUrl ?? throw new ArgumentException("The API needs DATABASE_URL."));
        builder.Services.AddQueueBus(settings.RabbitMq);
        builder.Services.AddQueueApi(settings, catalogue);
        return builder.Build().MapQueueApi();
    }

    /// <summary>
    /// Listens at once, so that its health can be asked, and answers the rest when the database has its shape. Null when all went well.
    /// </summary>
    public static async Task<string?> WhyNotStarted(WebApplication app, QueueSettings settings)
    {
        foreach (var warning in settings.Warnings)
            app.Logger.LogWarning("{Warning}", warning);
        if (WhyNobodyCanListen(settings.ListenUrl) is { } taken)
            return taken;
        try
        {
            await app.StartAsync();
        }
        catch (IOException fault)
        {
            return CannotListen(settings.ListenUrl, fault.Message);
        }

        app.Logger.LogInformation("The API listens on {Urls}.", string.Join(", ", app.Urls));
        var problem = await Prepare(app);
        if (problem is not null)
            await app.StopAsync();
        return problem;
    }

    /// <summary>Tried before anything is started: the host would tell of it in forty lines.</summary>
    public static string? WhyNobodyCanListen(Uri url)
    {
        if (url.Port == 0
            || !IPAddress.TryParse(url.IdnHost.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? "127.0.0.1" : url.IdnHost,
                out var address))
            return null;
        try
        {
            using var listener = new TcpListener(address, url.Port);
            listener.Start();
            return null;
        }
        catch (SocketException fault)
        {
            return CannotListen(url, fault.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "the port is in use.",
                SocketError.AccessDenied => "this user may not use the port.",
                SocketError.AddressNotAvailable => "this machine does not have the address.",
                _ => fault.Message,
            });
        }
    }

    private static string CannotListen(Uri url, string why) =>
        $"LLMQUEUE_URL is {url.GetLeftPart(UriPartial.Authority)}, and nothing can listen there: "
            + $"{why} Stop the other program, or set LLMQUEUE_URL to another address, for example http://127.0.0.1:8081.";

    private static async Task<string?> Prepare(WebApplication app)
    {
        var (clock, stopping) = (app.Services.GetRequiredService<TimeProvider>(), app.Lifetime.ApplicationStopping);
        for (var said = false; ; said = true)
        {
            try
            {
                await app.Services.PrepareStorage(stopping);
                app.Services.GetRequiredService<Preparation>().Done();
                if (said)
                    app.Logger.LogInformation("The database answers.");
                return null;
            }
            catch (Exception) when (stopping.IsCancellationRequested)
            {
                return null;
            }
            catch (Exception away) when (DatabaseFaults.IsPassing(away))
            {
                if (!said)
                    app.Logger.LogWarning("The database (DATABASE_URL) does not answer: {Reason}. It is tried again every {Seconds} s.",
                        away.Message, BetweenTries.TotalSeconds);
            }
            catch (Exception refused) when (refused is System.Data.Common.DbException or InvalidOperationException)
            {
                return $"The database (DATABASE_URL) cannot be used: {refused.Message}";
            }

            try
            {
                await Task.Delay(BetweenTries, clock, stopping);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private static QueueSettings Settings()
    {
        var home = Environment.GetEnvironmentVariable("LLMQUEUE_HOME") is { Length: > 0 } folder ? folder : Environment.CurrentDirectory;
        var settings = QueueSettings.Read(QueueSettings.Variables(home), home);
        var missing = new List<string>();
        if (settings.DatabaseUrl is null)
            missing.Add("DATABASE_URL is not set; the API as a process of its own needs the database of its workers: "
                + "postgres://user:password@host:port/name. For everything in one process use ./run.sh.");
        if (settings.RabbitMq is null)
            missing.Add("RABBITMQ_URL is not set; the API as a process of its own needs the broker of its workers: "
                + "amqp://user:password@host:port/vhost. For everything in one process use ./run.sh.");
        return missing.Count == 0 ? settings : throw new SettingsException(missing);
    }
}
