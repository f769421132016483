using MassTransit;
using MassTransit.Configuration;
using MassTransit.Observables;
using MassTransit.RabbitMqTransport.Configuration;
using MassTransit.Transports;

namespace LlmQueue.Hosting.Bus;

/// <summary>
/// MassTransit's RabbitMQ transport with a fixed wait between two tries to reach the broker. Its own waits grow from 3 to 30 seconds and no
/// setting changes them; the policy is a virtual member, so a host configuration of our own overrides it (docs/decisions/0028).
/// </summary>
internal static class RabbitMqReconnect
{
    /// <summary>As MassTransit's <c>UsingRabbitMq</c>, but a lost connection is tried again every <paramref name="wait"/>.</summary>
    public static void UsingRabbitMq(this IBusRegistrationConfigurator bus, TimeSpan wait,
        Action<IBusRegistrationContext, IRabbitMqBusFactoryConfigurator> configure) =>
        bus.SetBusFactory(new BusFactory(new BusConfiguration(wait), configure));

    private sealed class BusFactory(BusConfiguration bus, Action<IBusRegistrationContext, IRabbitMqBusFactoryConfigurator> configure)
        : TransportRegistrationBusFactory<IRabbitMqReceiveEndpointConfigurator>(bus.HostConfiguration)
    {
        public override IBusInstance CreateBus(
            IBusRegistrationContext context, IEnumerable<IBusInstanceSpecification> specifications, string busName) =>
            CreateBus(new RabbitMqBusFactoryConfigurator(bus), context, configure, specifications);
    }

    // RabbitMqBusConfiguration creates its host itself and offers no way to hand in another.
    private sealed class BusConfiguration : RabbitMqEndpointConfiguration, IRabbitMqBusConfiguration
    {
        private readonly BusObservable _observers = new();

        public BusConfiguration(TimeSpan wait)
            : base(new RabbitMqTopologyConfiguration(RabbitMqBusFactory.CreateMessageTopology()))
        {
            HostConfiguration = new HostConfiguration(this, Topology, wait);
            BusEndpointConfiguration = CreateEndpointConfiguration(isBusEndpoint: true);
        }

        public IRabbitMqHostConfiguration HostConfiguration { get; }

        public IRabbitMqEndpointConfiguration BusEndpointConfiguration { get; }

        public IBusObserver BusObservers => _observers;

        IHostConfiguration IBusConfiguration.HostConfiguration => HostConfiguration;

        IEndpointConfiguration IBusConfiguration.BusEndpointConfiguration => BusEndpointConfiguration;

        public ConnectHandle ConnectBusObserver(IBusObserver observer) => _observers.Connect(observer);

        public ConnectHandle ConnectEndpointConfigurationObserver(IEndpointConfigurationObserver observer) =>
            HostConfiguration.ConnectEndpointConfigurationObserver(observer);
    }

    private sealed class HostConfiguration : RabbitMqHostConfiguration
    {
        // Where they are used up, MassTransit begins to count anew.
        private const int MostTries = 10_000;

        public HostConfiguration(IRabbitMqBusConfiguration bus, IRabbitMqTopologyConfiguration topology, TimeSpan wait)
            : base(bus, topology)
        {
            // A receive endpoint that meets what its policy does not handle stops for the life of the process. MassTransit's own leaves out
            // a refused login, which a password that is being changed or a broker that has not yet loaded its users may cause for a moment.
            ReceiveTransportRetryPolicy = Every(wait, _ => true);
            // A send has a caller who is told of what no second try can mend.
            SendTransportRetryPolicy = Every(wait, base.ReceiveTransportRetryPolicy.IsHandled);
        }

        public override IRetryPolicy ReceiveTransportRetryPolicy { get; }

        public override IRetryPolicy SendTransportRetryPolicy { get; }

        private static IRetryPolicy Every(TimeSpan wait, Func<Exception, bool> handles) =>
            Retry.CreatePolicy(retry =>
            {
                retry.Handle(handles);
                retry.Interval(MostTries, wait);
            });
    }
}
