using LlmQueue.Api;
using LlmQueue.Catalogue;
using LlmQueue.Hosting;
using LlmQueue.Hosting.Bus;
using LlmQueue.Storage;
using LlmQueue.Worker;
using LlmQueue.Worker.Leases;
using MassTransit;

namespace LlmQueue.Embedded.Hosting;

/// <summary>The parts of the process that a command needs.</summary>
/// <param name="WithApi">Listen on LLMQUEUE_URL.</param>
/// <param name="WithWorker">Work on the queue; without it only the database is there to be looked at.</param>
/// <param name="Logging">Where the log goes.</param>
internal sealed record ProcessParts(bool WithApi, bool WithWorker, Action<ILoggingBuilder> Logging);

/// <summary>
/// The whole queue in this process: private PostgreSQL, in-memory bus, worker and, when asked for, API. Each can be replaced by a
/// server of one's own.
/// </summary>
internal sealed class OneProcess : IAsyncDisposable
{
    /// <summary>As many rows as one sweep of the Rescuer takes up of a kind.</summary>
    private const int FullSweep = 1000;
    private const int MostSweeps = 20;

    private readonly SimulatedProvider? simulator;
    private readonly PrivatePostgres? postgres;
    private readonly IHost host;
    private bool ended;

    private OneProcess(Installation installation, SimulatedProvider? simulator, PrivatePostgres? postgres, IHost host) =>
        (Installation, this.simulator, this.postgres, this.host) = (installation, simulator, postgres, host);

    public Installation Installation { get; }

    public IServiceProvider Services => host.Services;

    public bool HasWorker { get; private init; }

    public static async Task<OneProcess> Start(Installation installation, ProcessParts parts, Action<string> say, CancellationToken stop)
    {
        foreach (var warning in installation.Settings.Warnings)
            say(warning);
        if (parts.WithWorker
            && installation.Settings.RabbitMq is { } broker
            && await ServerChecks.WhyNoBroker(broker, stop) is { } noBroker)
            throw new RefusalException(noBroker);
        if (installation.Settings.DatabaseUrl is { } database && await ServerChecks.WhyNoDatabase(database, stop) is { } noDatabase)
            throw new RefusalException(noDatabase);
        SimulatedProvider? provider = null;
        PrivatePostgres? server = null;
        try
        {
            // The folder first: where another process has it, nothing else needs to be started.
            if (installation.Settings.DatabaseUrl is null)
                server = await PrivateDatabase(installation.Settings.DataFolder, say, stop);
            if (parts.WithWorker && installation.Settings.NoKeys)
                installation = installation.With(provider = await SimulatedProvider.Start(installation, stop));
            var built = Build(installation, provider, parts, installation.Settings.DatabaseUrl ?? server!.ConnectionString);
            var process = new OneProcess(installation, provider, server, built) { HasWorker = parts.WithWorker };
            await process.Run(parts, stop);
            return process;
        }
        catch
        {
            provider?.Dispose();
            if (server is not null)
                await server.Stop();
            throw;
        }
    }

    /// <summary>In good order: what is being called is awaited, then the bus, the simulator and the database end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (ended)
            return;
        ended = true;
        try
        {
            await host.StopAsync(CancellationToken.None);
        }
        finally
        {
            await Dispose(host);
            simulator?.Dispose();
            if (postgres is not null)
                await postgres.Stop();
        }
    }

    private async Task Run(ProcessParts parts, CancellationToken stop)
    {
        try
        {
            if (parts.WithWorker)
                await WorkerHost.Prepare(Services, Services.GetRequiredService<ILoggerFactory>().CreateLogger("LlmQueue.Embedded"), stop);
            else
                await Services.PrepareStorage(stop);
            await host.StartAsync(stop);
            if (parts.WithWorker && Installation.IsAlone)
                await TakeUpWhatWasLeft(stop);
        }
        catch (IOException fault) when (fault.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            await Dispose(host);
            throw new RefusalException(PortCheck.InUse(Installation.Settings.ListenUrl));
        }
        catch
        {
            await host.StopAsync(CancellationToken.None);
            await Dispose(host);
            throw;
        }
    }

    private static async Task<PrivatePostgres> PrivateDatabase(string folder, Action<string> say, CancellationToken stop)
    {
        try
        {
            return await PrivatePostgres.Start(folder, say, stop);
        }
        catch (Exception fault)
            when (fault is not DataFolderInUseException and (InvalidOperationException or IOException or UnauthorizedAccessException))
        {
            throw new RefusalException(fault.Message, fault);
        }
    }

    /// <summary>
    /// The former process may have been killed: its commands are lost and its calls will never end. No other process works on this
    /// database, so the rescuer need not wait for leases.
    /// </summary>
    private async Task TakeUpWhatWasLeft(CancellationToken stop)
    {
        // A command that is sent before its queue exists would be lost.
        await Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, stop);
        var rescuer = Services.GetRequiredService<Rescuer>();
        for (var sweep = 0; sweep < MostSweeps && await rescuer.Sweep(afterStart: true, stop) >= FullSweep; sweep++)
        {
        }
    }

    private static IHost Build(Installation installation, SimulatedProvider? simulator, ProcessParts parts, string database)
    {
        var catalogue = installation.Current();
        if (!parts.WithApi)
        {
            var plain = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder(
                new HostApplicationBuilderSettings { DisableDefaults = true, ContentRootPath = AppContext.BaseDirectory });
            Add(plain, installation, catalogue, parts, database);
            AddFollower(plain.Services, simulator);
            return plain.Build();
        }

        // The folder it is started in is somebody's: its appsettings.json is not meant for this program.
        var web = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        web.WebHost.UseUrls(installation.Settings.ListenUrl.ToString());
        Add(web, installation, catalogue, parts, database);
        AddFollower(web.Services, simulator);
        // Where the database is private, the commands come through the API. Another's is theirs to open, and its folder is
        // nobody's in particular.
        var cliToken = installation.Settings.DatabaseUrl is null ? CliToken.Create(installation.Settings.DataFolder) : null;
        web.Services.AddQueueApi(installation.Settings, catalogue, cliToken);
        return web.Build().MapQueueApi();
    }

    /// <summary>One composition for every command, with a worker or without.</summary>
    internal static void Add(
        IHostApplicationBuilder builder, Installation installation, CurrentCatalogue catalogue, ProcessParts parts, string database)
    {
        var (settings, options) = (installation.Settings, installation.Options);
        parts.Logging(builder.Logging);
        builder.Services.AddSingleton<IHostLifetime, CommandLifetime>();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(40));
        builder.Services.AddQueueStorage(database).AddQueueClient(catalogue);
        if (!parts.WithWorker)
        {
            // Where workers run elsewhere, their commands go through the broker; without any the rows are enough.
            if (settings.RabbitMq is not null)
                builder.Services.AddQueueBus(settings.RabbitMq);
            return;
        }

        builder.Services.AddQueueWorker(settings, catalogue, options);
        builder.Services.AddQueueUpkeep(database);
        // Last, so that it stops first: open calls finish while claims, commits and the heartbeat still run.
        builder.Services.AddQueueBus(settings.RabbitMq, WorkerBus.Register, WorkerBus.Endpoints);
    }

    private static void AddFollower(IServiceCollection services, SimulatedProvider? simulator)
    {
        if (simulator is not null)
            services.AddSingleton<ICatalogueFollower>(simulator);
    }

    private static async Task Dispose(IHost host)
    {
        if (host is IAsyncDisposable disposable)
            await disposable.DisposeAsync();
        else
            host.Dispose();
    }
}
