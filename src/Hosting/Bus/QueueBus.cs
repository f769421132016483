using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Intake;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Hosting.Bus;

/// <summary>The one bus set-up of all hosts: RabbitMQ where an address is given, else the in-memory bus of a single process.</summary>
public static class QueueBus
{
    /// <summary>After an outage of minutes the queue must not stand idle beside a broker that is back.</summary>
    private static readonly TimeSpan ReconnectWait = TimeSpan.FromSeconds(2);

    /// <param name="rabbitMq">The broker, or null for the in-memory bus.</param>
    /// <param name="services">The host's services; the bus can be added once.</param>
    /// <param name="register">Registers consumers and sagas.</param>
    /// <param name="endpoints">Configures the receive endpoints.</param>
    public static IServiceCollection AddQueueBus(this IServiceCollection services, RabbitMqAddress? rabbitMq,
        Action<IBusRegistrationConfigurator>? register = null, Action<IBusRegistrationContext, IBusFactoryConfigurator>? endpoints = null)
    {
        services.AddMassTransit(bus =>
        {
            register?.Invoke(bus);
            if (rabbitMq is null)
                bus.UsingInMemory((context, configure) =>
                {
                    Common(configure);
                    endpoints?.Invoke(context, configure);
                });
            else
                bus.UsingRabbitMq(ReconnectWait, (context, configure) =>
                {
                    configure.Host(rabbitMq.Host, (ushort)rabbitMq.Port, rabbitMq.VirtualHost, host =>
                    {
                        host.Username(rabbitMq.User);
                        host.Password(rabbitMq.Password);
                        host.RequestedConnectionTimeout(TimeSpan.FromSeconds(10));
                        // A minute is the client's own; a connection that was cut without a word is noticed after twice this.
                        host.Heartbeat(TimeSpan.FromSeconds(10));
                        if (rabbitMq.Tls)
                            host.UseSsl(_ => { });
                    });
                    Common(configure);
                    endpoints?.Invoke(context, configure);
                });
        });
        services.Configure<MassTransitHostOptions>(o =>
        {
            // A host starts without its broker: it says so on /health/ready, accepts what it can and connects when it may.
            o.WaitUntilStarted = false;
            o.StopTimeout = TimeSpan.FromSeconds(30);
        });
        return services;
    }

    /// <summary>
    /// An endpoint of the queue: durable, quorum-replicated on RabbitMQ, and quick to try again what only a passing fault stopped.
    /// </summary>
    public static void QueueEndpoint(
        this IBusFactoryConfigurator bus, string name, int concurrency, Action<IReceiveEndpointConfigurator> configure,
        bool messageIsTheOnlyCopy = false) =>
        bus.ReceiveEndpoint(name, endpoint =>
        {
            endpoint.ConfigureConsumeTopology = false;
            endpoint.PrefetchCount = concurrency;
            endpoint.ConcurrentMessageLimit = concurrency;
            if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
            {
                rabbit.SetQuorumQueue();
                // RabbitMQ 4 drops a message after 20 deliveries. A command may be dropped, because its row remains; a producer's task may
                // not.
                if (messageIsTheOnlyCopy)
                    rabbit.BindDeadLetterQueue($"{name}_dead");
            }

            configure(endpoint);
        });

    private static void Common(IBusFactoryConfigurator bus)
    {
        bus.AutoStart = true;
        bus.UseMessageRetry(retry =>
        {
            retry.Ignore<System.Runtime.Serialization.SerializationException>();
            retry.Ignore<UnreadableMessageException>();
            retry.Exponential(4, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(3), TimeSpan.FromMilliseconds(300));
        });
    }
}
