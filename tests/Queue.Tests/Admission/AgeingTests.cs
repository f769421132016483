using LlmQueue.Contracts;
using LlmQueue.Worker.Scheduling;

namespace LlmQueue.Tests.Admission;

public sealed class AgeingTests
{
    private static readonly DateTime Now = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(30);

    [Fact]
    public void One_grant_in_eight_is_an_aged_tasks_even_when_every_round_grants_one()
    {
        var ageing = new PriorityAging(After, every: 8);
        var hurried = Heads(Priorities.Interactive, 200, waited: 1);
        var batch = Heads(Priorities.Batch, 50, waited: 60);

        var granted = Rounds(ageing, [.. hurried, .. batch], grants: 80, aRound: 1);

        Assert.Equal(10, granted.Count(h => h.Priority == Priorities.Batch));
        Assert.Equal(batch.OrderBy(h => h.WaitingSince).Take(10), granted.Where(h => h.Priority == Priorities.Batch));
    }

    [Fact]
    public void The_longest_waiting_of_all_lower_classes_comes_first()
    {
        var ageing = new PriorityAging(After, every: 2);
        var normal = Heads(Priorities.Normal, 1, waited: 40)[0];
        var batch = Heads(Priorities.Batch, 1, waited: 50)[0];

        var granted = Rounds(ageing, [.. Heads(Priorities.Interactive, 10, waited: 100), normal, batch], grants: 4, aRound: 4);

        Assert.Equal([batch, normal], granted.Where(h => h.Priority != Priorities.Interactive));
    }

    [Fact]
    public void Who_has_not_waited_long_waits_for_his_class()
    {
        var granted = Rounds(new PriorityAging(After, every: 2),
            [.. Heads(Priorities.Interactive, 20, waited: 1), .. Heads(Priorities.Batch, 5, waited: 29)], grants: 20, aRound: 5);

        Assert.All(granted, head => Assert.Equal(Priorities.Interactive, head.Priority));
    }

    [Fact]
    public void An_aged_task_without_room_has_its_turn_again_in_the_next_round()
    {
        var ageing = new PriorityAging(After, every: 2);
        List<WaitQueueHead> heads = [.. Heads(Priorities.Interactive, 3, waited: 1), .. Heads(Priorities.Batch, 1, waited: 60)];
        var first = ageing.Turns(heads, Now);
        first.Granted(first.Next()!);

        // It keeps the bucket that opens soonest for it, so nobody passes it there; here it is not granted.
        Assert.Equal(Priorities.Batch, first.Next()!.Priority);
        Assert.Equal(Priorities.Batch, ageing.Turns([.. heads.Skip(1)], Now).Next()!.Priority);
    }

    private static List<WaitQueueHead> Rounds(PriorityAging ageing, List<WaitQueueHead> heads, int grants, int aRound)
    {
        var granted = new List<WaitQueueHead>();
        while (granted.Count < grants)
        {
            var turns = ageing.Turns(heads, Now);
            for (var i = 0; i < aRound && turns.Next() is { } head; i++)
            {
                turns.Granted(head);
                granted.Add(head);
                heads = [.. heads.Where(h => h.Id != head.Id)];
            }
        }

        return granted;
    }

    private static List<WaitQueueHead> Heads(short priority, int count, int waited) =>
        [.. Enumerable.Range(0, count).Select(i => new WaitQueueHead(Guid.CreateVersion7(), "line", priority, i, 100, 100, 100, 0,
            Now.AddSeconds(-waited).AddMilliseconds(i), NotWoken: false, null, [], Bound: false, Complexity: null))];
}
