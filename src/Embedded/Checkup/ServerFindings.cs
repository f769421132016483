using LlmQueue.Embedded.Clients;
using LlmQueue.Embedded.Hosting;
using LlmQueue.Hosting;

namespace LlmQueue.Embedded.Checkup;

/// <summary>Checks of the database, the broker and the port.</summary>
internal static class ServerFindings
{
    public static async Task<Finding> Database(Installation installation, CancellationToken stop)
    {
        PrivatePostgres? own = null;
        try
        {
            if (installation.Settings.DatabaseUrl is null)
                own = await PrivatePostgres.Start(installation.Settings.DataFolder, _ => { }, stop);
            else if (await ServerChecks.WhyNoDatabase(installation.Settings.DatabaseUrl, stop) is { } away)
                return new Finding(Grade.Failed, "database", away);
            var shape = await ServerChecks.DatabaseShape(installation.Settings.DatabaseUrl ?? own!.ConnectionString, stop);
            var name = $"{(own is null ? "the one of DATABASE_URL" : "private")}, PostgreSQL {shape.Version}";
            return shape switch
            {
                { Unknown.Count: > 0 } => new Finding(Grade.Failed, "database",
                    $"{name}, is newer than this program (it has '{shape.Unknown[^1]}'). "
                        + "Start the version that wrote it, or name another database."),
                { Pending.Count: > 0 } =>
                    new Finding(Grade.Ok, "database", $"{name}; {shape.Pending.Count} migrations are applied at the next start."),
                _ => new Finding(Grade.Ok, "database", $"{name}, up to date."),
            };
        }
        catch (DataFolderInUseException)
        {
            return new Finding(Grade.Ok, "database", $"private, in use by a queue that runs in {installation.Settings.DataFolder}.");
        }
        catch (Exception fault)
            when (fault is InvalidOperationException or IOException or UnauthorizedAccessException or System.Data.Common.DbException)
        {
            return new Finding(Grade.Failed, "database", fault.Message);
        }
        finally
        {
            if (own is not null)
                await own.Stop();
        }
    }

    public static async Task<Finding> Broker(Installation installation, CancellationToken stop)
    {
        if (installation.Settings.RabbitMq is not { } broker)
            return new Finding(Grade.Ok, "broker", "none is needed: messages stay inside the process (RABBITMQ_URL is not set).");
        return await ServerChecks.WhyNoBroker(broker, stop) is { } away
            ? new Finding(Grade.Failed, "broker", away)
            : new Finding(Grade.Ok, "broker", $"{broker} answers.");
    }

    public static async Task<Finding> Port(Installation installation, CancellationToken stop)
    {
        var listen = installation.Settings.ListenUrl;
        if (PortCheck.IsFree(listen))
            return new Finding(Grade.Ok, "port", $"{listen} is free.");
        await using var running = await HttpQueueClient.TryOpen(installation, token: null, stop);
        return running is not null
            ? new Finding(Grade.Ok, "port", $"a queue runs at {listen}.")
            : new Finding(Grade.Failed, "port", PortCheck.InUse(listen));
    }
}
