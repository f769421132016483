using System.Threading.Channels;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Messaging;

public sealed record Probe(int Number);

/// <summary>The bus as every host sets it up, with one endpoint that hands on what it receives and what its connection meets.</summary>
internal sealed class BusUnderTest : IAsyncDisposable
{
    public const string QueueName = "probes";

    private readonly Channel<int> _received = Channel.CreateUnbounded<int>();
    private readonly Faults _faults = new();
    private readonly ServiceProvider _services;

    public BusUnderTest(string virtualHost)
    {
        var address = new Uri(virtualHost);
        var user = address.UserInfo.Split(':');
        var broker = new RabbitMqAddress(address.Host, address.Port, address.AbsolutePath[1..], user[0], user[1], Tls: false);
        var services = new ServiceCollection().AddLogging().AddSingleton<IReceiveEndpointObserver>(_faults);
        services.AddQueueBus(broker,
            endpoints: (_, bus) => bus.QueueEndpoint(QueueName, concurrency: 1, endpoint => endpoint.Handler<Probe>(probe =>
            _received.Writer.WriteAsync(probe.Message.Number).AsTask())));
        _services = services.BuildServiceProvider();
    }

    public IHostConfiguration Configuration => _services.GetRequiredService<IBusInstance>().HostConfiguration;

    private IBusControl Bus => _services.GetRequiredService<IBusControl>();

    public Task Start() => Bus.StartAsync(TestContext.Current.CancellationToken);

    /// <summary>To an exchange: "queue:" would declare the queue as a classic one and clash with the endpoint's.</summary>
    public async Task Send(int number, CancellationToken cancellationToken, string to = $"exchange:{QueueName}") =>
        await (await Bus.GetSendEndpoint(new Uri(to))).Send(new Probe(number), cancellationToken);

    public async Task<int> Received(TimeSpan within) =>
        await _received.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(within, TimeProvider.System);

    /// <summary>What the endpoint's connection met next.</summary>
    public async Task<Exception> Fault(TimeSpan within) =>
        await _faults.Seen.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(within, TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await Bus.StopAsync(TimeSpan.FromSeconds(10));
        await _services.DisposeAsync();
    }

    private sealed class Faults : IReceiveEndpointObserver
    {
        public Channel<Exception> Seen { get; } = Channel.CreateUnbounded<Exception>();

        public Task Faulted(ReceiveEndpointFaulted faulted) => Seen.Writer.WriteAsync(faulted.Exception!).AsTask();

        public Task Ready(ReceiveEndpointReady ready) => Task.CompletedTask;

        public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

        public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;
    }
}
