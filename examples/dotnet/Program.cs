using LlmQueue.Contracts;
using MassTransit;

// A service that has MassTransit hands over work in one line and hears of its end like of any other event.
//   RABBITMQ_URL=amqp://guest:guest@localhost dotnet run --project examples/dotnet -- "Why is the sky blue?"
var task = LlmTask.Ask(args.Length > 0 ? args[0] : "Why is the sky blue?", priority: "interactive");
var ended = new TaskCompletionSource<string>();
var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
{
    rabbit.Host(new Uri(Environment.GetEnvironmentVariable("RABBITMQ_URL") ?? "amqp://guest:guest@localhost"));
    rabbit.ReceiveEndpoint(endpoint =>
    {
        endpoint.Handler<LlmTaskCompleted>(e => Hear(e.Message.TaskId, $"{e.Message.Model}: {e.Message.Output}"));
        endpoint.Handler<LlmTaskFailed>(e => Hear(e.Message.TaskId, $"failed: {e.Message.Reason}"));
        endpoint.Handler<LlmTaskRejected>(e => Hear(e.Message.TaskId, $"rejected: {e.Message.Reason}"));
    });
});

await bus.StartAsync();
try
{
    await bus.Publish(task);
    Console.WriteLine(await ended.Task);
}
finally
{
    await bus.StopAsync();
}

Task Hear(Guid id, string what)
{
    if (id == task.Id)
        ended.TrySetResult(what);
    return Task.CompletedTask;
}
