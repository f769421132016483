namespace LlmQueue.Bench.Backlog;

/// <summary>What one size of backlog came to.</summary>
internal sealed record Figures(int Waiting, double TasksPerSecond, double WorkerMs, double PostgresMs, double RabbitMs, long WorkerMegabytes, long DatabaseMegabytes, double StartSeconds, string DeadRows, string Pruned)
{
    public const string Heading = "  waiting  tasks/s  ms a task (worker + postgres + rabbitmq)  worker  database  after kill -9  dead rows (largest)                       pruned                of the first";

    public double ProcessorMs => WorkerMs + PostgresMs + RabbitMs;

    public override string ToString() =>
        $"{Waiting,9:0}  {TasksPerSecond,7:0}  {ProcessorMs,5:0.00} ({WorkerMs:0.00} + {PostgresMs:0.00} + {RabbitMs:0.00}){"",14}  {WorkerMegabytes,3} MB  {DatabaseMegabytes,5} MB  {StartSeconds,11:0.0} s  {DeadRows,-40}  {Pruned,-20}";
}
