using LlmQueue.Contracts;
using LlmQueue.Hosting.Bus;
using LlmQueue.Hosting.Settings;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Batches;
using LlmQueue.Worker.Calling;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.PageSummaries;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Worker;

/// <summary>What a worker answers on the bus: its state machines and consumers, and the queue of each.</summary>
public static class WorkerBus
{
    private const int IntakeConcurrency = 64;
    private const int LifecycleConcurrency = 256;

    public static void Register(IBusRegistrationConfigurator bus)
    {
        bus.AddSagaStateMachine<TaskStateMachine, TaskRow>();
        bus.AddSagaStateMachine<SummaryStateMachine, SummaryRow>();
        bus.AddConsumer<CallConsumer>();
        bus.AddConsumer<MoveBatchConsumer>();
    }

    public static void Endpoints(IBusRegistrationContext context, IBusFactoryConfigurator bus)
    {
        var options = context.GetRequiredService<WorkerOptions>();
        bus.QueueEndpoint(QueueNames.Intake, IntakeConcurrency, endpoint =>
        {
            endpoint.AddDeserializer(new PlainJson<LlmTask>(), isDefault: true);
            endpoint.BindTo<LlmTask>();
            endpoint.ConfigureSaga<TaskRow>(context);
        }, messageIsTheOnlyCopy: true);
        bus.QueueEndpoint(QueueNames.Lifecycle, LifecycleConcurrency, endpoint => endpoint.ConfigureSaga<TaskRow>(context));
        foreach (var provider in context.GetRequiredService<QueueSettings>().Providers.Keys)
            bus.QueueEndpoint(QueueNames.CallsOf(provider), options.ConcurrentCalls,
                endpoint => endpoint.ConfigureConsumer<CallConsumer>(context));
        // What rang before each provider had a queue of its own.
        bus.QueueEndpoint(QueueNames.Calls, options.ConcurrentCalls, endpoint => endpoint.ConfigureConsumer<CallConsumer>(context));
        bus.QueueEndpoint(QueueNames.SummaryIntake, 4, endpoint =>
        {
            endpoint.AddDeserializer(new PlainJson<SummarizePages>(), isDefault: true);
            endpoint.BindTo<SummarizePages>();
            endpoint.ConfigureSaga<SummaryRow>(context);
        }, messageIsTheOnlyCopy: true);
        bus.QueueEndpoint(QueueNames.SummaryLifecycle, 16, endpoint => endpoint.ConfigureSaga<SummaryRow>(context));
        bus.QueueEndpoint(QueueNames.Batches, 1, endpoint => endpoint.ConfigureConsumer<MoveBatchConsumer>(context));
    }

    private static void BindTo<T>(this IReceiveEndpointConfigurator endpoint) where T : class
    {
        switch (endpoint)
        {
            case IRabbitMqReceiveEndpointConfigurator rabbit:
                rabbit.Bind<T>();
                break;
            case IInMemoryReceiveEndpointConfigurator memory:
                memory.Bind<T>();
                break;
            default:
                throw new NotSupportedException($"{endpoint.GetType().Name} is not a bus of this queue.");
        }
    }
}
