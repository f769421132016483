using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Tests.Exploration;

// How a history draws to its end: nothing is lost any more, and time passes.
internal sealed partial class Explorer
{
    /// <summary>What the Rescuer, the Pacer and an owner with money and a valid key do in the end.</summary>
    private void Settle(int round)
    {
        Drain(round % Workers);
        world.Now = world.Now.AddSeconds(Math.Min(900, Math.Pow(2, round)));
        foreach (var budget in world.Budgets.Values.Where(budget => budget.Waiting > 0))
        {
            budget.LimitUsd = null;
        }

        foreach (var bucket in world.Buckets.Values.Where(
            bucket => bucket.DisabledReason is { Cause: DisabledCause.NoKeyAccepted }))
        {
            bucket.DisabledReason = null;
        }

        foreach (var machine in machines)
        {
            machine.TakeKey();
            machine.Show();
        }

        Pace();
        foreach (var task in asked.Where(task => world.Tasks.GetValueOrDefault(task.Id!.Value)?.EndedAt is null))
        {
            // The bell that its state stands for is the real machine's to know; it takes as long as a new task, so it is
            // not asked each time.
            if (round % 3 == 0)
            {
                broker.Add(task);
            }

            if (Rescue(task.Id!.Value) is { } bell)
            {
                broker.Add(bell);
            }
        }
    }

    /// <summary>Every message is delivered, and everything begun is ended.</summary>
    private void Drain(int worker)
    {
        while (broken is null && (deliveries.Count > 0 || broker.Count > 0))
        {
            if (deliveries.Count > 0)
            {
                Advance(deliveries[0]);
            }
            else
            {
                Deliver(0, worker);
            }
        }
    }

    private object? Rescue(Guid id) => world.Tasks.GetValueOrDefault(id) switch
    {
        { State: TaskStates.WaitingToRetry } row when row.Wait.DueAt <= world.Now => new RetryDelayElapsed(id, row.Attempt),
        { State: TaskStates.WaitingForBudget } => new BudgetReleased(id),
        { } row when World.IsCalled(row) && world.Attempts[(id, row.Attempt)].Worker is { } worker && !identities.Contains(worker) =>
            new LeaseExpired(id, row.Attempt),
        _ => null,
    };
}
