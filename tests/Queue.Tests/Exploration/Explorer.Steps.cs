using LlmQueue.Contracts;
using LlmQueue.Embedded.Summarizing;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.UnitsOfWork;
using LlmQueue.Worker.Outcomes;

namespace LlmQueue.Tests.Exploration;

// One step of a history: a message is delivered, or what a delivery has begun goes one step on, or something happens to them.
internal sealed partial class Explorer
{
    private void Step()
    {
        var open = deliveries.Count;
        switch (script.Next(24))
        {
            case < 8 when broker.Count > 0:
                Deliver(script.Next(broker.Count), script.Next(Workers));
                break;
            case < 18 when open > 0:
                Advance(deliveries[script.Next(open)]);
                break;
            case 18 when broker.Count > 0:
                Note("the broker has a message twice");
                broker.Add(broker[script.Next(broker.Count)]);
                break;
            case 19:
                Crash(script.Next(Workers));
                break;
            case 20:
                Pace();
                break;
            case 21:
                var seconds = script.Next(4) switch { 0 => 0.05, 1 => 2, 2 => 20, _ => 90 };
                Note("{0} s pass", seconds);
                world.Now = world.Now.AddSeconds(seconds);
                break;
            default:
                var task = asked[script.Next(asked.Count)];
                var attempt = (world.Tasks.GetValueOrDefault(task.Id!.Value)?.Attempt ?? 0) + script.Next(3) - 1;
                var stray = Mail.Stray(task, attempt, script.Next(18));
                Note("a stray message: {0}", Mail.Named(stray));
                broker.Add(stray);
                break;
        }
    }

    private void Send(object bell)
    {
        // A bell may be lost with its broker. Once the history draws to its end none is.
        if (!kind && script.Next(8) == 0)
        {
            Note("lost: {0}", Mail.Named(bell));
            return;
        }

        broker.Add(bell);
    }

    private void Deliver(int index, int worker)
    {
        var message = broker[index];
        broker.RemoveAt(index);
        Note("worker {0} is delivered {1}", worker, Mail.Named(message));
        // One that has not been heard for long leaves its calls to messages.
        if (script.Next(4) > 0)
        {
            machines[worker].Beat();
        }

        var delivery = new Delivery(message, worker);
        deliveries.Add(delivery);
        if (message is CallProvider)
        {
            Call(delivery, claimedAt: null);
        }
        else
        {
            Begin(delivery, message);
        }
    }

    /// <summary>Whoever claims the attempt makes the call; for anybody else there is nothing to do.</summary>
    private void Call(Delivery delivery, DateTime? claimedAt, bool isClaimed = false)
    {
        var call = (CallProvider)delivery.Message;
        if (isClaimed || world.Claim(call.TaskId, call.Attempt, identities[delivery.Worker], claimedAt))
        {
            laws.Calls[(call.TaskId, call.Attempt)] = laws.Calls.GetValueOrDefault((call.TaskId, call.Attempt)) + 1;
            delivery.AtProvider = true;
        }
        else
        {
            delivery.Running = Task.CompletedTask;
        }

        Check();
    }

    private void Begin(Delivery delivery, object message)
    {
        current = delivery;
        var id = Mail.TaskOf(message);
        if (bug == PlantedBug.NoAttemptFence && world.Tasks.GetValueOrDefault(id) is { } row)
        {
            message = message switch
            {
                CallFinished finished => finished with { Attempt = row.Attempt },
                LeaseExpired => new LeaseExpired(id, row.Attempt),
                _ => message,
            };
        }

        var machine = machines[delivery.Worker];
        delivery.Running = delivery.Own is { } own ? machine.Finish(own, (CallFinished)message) : machine.Raise(message, id);
        Watch(delivery);
    }

    /// <summary>
    /// A kept call is begun; or the provider answers; or the commit takes place; or its outcome is heard; or the message is
    /// acknowledged: whichever is next.
    /// </summary>
    private void Advance(Delivery delivery)
    {
        switch (delivery)
        {
            case { IsKept: true, Own: { } own }:
                delivery.IsKept = false;
                var stands = own.Claim is not null && (!own.IsDoubted || bug == PlantedBug.BelievesADoubtedClaim);
                Note("worker {0} turns to the call it kept{1}", delivery.Worker, stands ? "" : ", and claims it");
                Count(stands ? "kept call" : "kept call claimed later");
                Call(delivery, own.Claim?.AdmittedAt, stands);
                break;
            case { AtProvider: true }:
                Return(delivery);
                break;
            case { Pending: { } pending, Outcome: null }:
                Write(delivery, pending);
                break;
            case { Pending: { } pending, Outcome: { } outcome }:
                Hear(delivery, pending, outcome);
                break;
            default:
                Leave(delivery);
                deliveries.Remove(delivery);
                break;
        }
    }

    private void Return(Delivery delivery)
    {
        delivery.AtProvider = false;
        var call = (CallProvider)delivery.Message;
        var outcome = Outcome(world.Tasks[call.TaskId]);
        Note("the provider: {0}", outcome.Word);
        if (outcome is CallOutcome.Answered)
        {
            laws.Answered.Add((call.TaskId, call.Attempt));
        }

        Begin(delivery, new CallFinished(call.TaskId, call.Attempt, outcome, "groq-1", TimeSpan.FromSeconds(1), PromptHash: null,
            OpensBreaker: script.Next(6) == 0, world.Now.AddSeconds(-1)));
    }

    private void Write(Delivery delivery, UnitOfWork pending)
    {
        foreach (var claimed in pending.Opened.Where(attempt => attempt.Worker is not null))
        {
            claimed.Worker = identities[delivery.Worker];
        }

        delivery.Outcome = world.Commit(pending);
        Note("a commit: {0}", delivery.Outcome);
        Check();
        if (!kind && delivery.Outcome == CommitOutcome.Committed && script.Next(12) == 0)
        {
            delivery.Outcome = world.Commit(pending);
            Note("the connection broke before it was heard, and it is tried again: {0}", delivery.Outcome);
            Count($"tried again: {delivery.Outcome}");
            Check();
        }
    }

    private void Hear(Delivery delivery, UnitOfWork pending, CommitOutcome outcome)
    {
        (delivery.Pending, delivery.Outcome) = (null, null);
        var machine = machines[delivery.Worker];
        pending.Settle(outcome);
        while (machine.Kept.TryRead(out var own))
        {
            deliveries.Add(new Delivery(new CallProvider(own.Task.CorrelationId, own.Task.Attempt, own.Provider), delivery.Worker)
            {
                Own = own, IsKept = true,
            });
        }

        // As the group that committed brings them back.
        machine.Show();
        current = delivery;
        delivery.Told!.SetResult(outcome);
        Watch(delivery);
    }

    private void Crash(int worker)
    {
        Note("worker {0} is killed", worker);
        Count("crash");
        foreach (var delivery in deliveries.Where(delivery => delivery.Worker == worker).ToList())
        {
            Lose(delivery);
            deliveries.Remove(delivery);
            // What it had not acknowledged comes again; what it held in its head is gone, and the calls it kept are known to nobody.
            if (delivery.Own is null)
            {
                broker.Add(delivery.Message);
            }
        }

        identities[worker] = Guid.NewGuid();
        machines[worker].Show();
        machines[worker].Beat();
    }

    /// <summary>What a process held for it is gone with the process.</summary>
    private void Lose(Delivery delivery)
    {
        delivery.Pending?.Settle(null);
        Leave(delivery);
    }

    private void Leave(Delivery delivery)
    {
        if (delivery.Own is { } own)
        {
            machines[delivery.Worker].Made(own);
        }
    }

    private void Pace()
    {
        var bells = world.Pace(pacer, machines[0].BudgetsOf);
        if (bells.Count > 0)
        {
            Note("the Pacer rings for {0}", bells.Count);
            Check();
        }

        foreach (var bell in bells)
        {
            Send(bell);
        }
    }

    private CallOutcome Outcome(TaskRow task)
    {
        if (kind)
        {
            return Answer(task);
        }

        return script.Next(14) switch
        {
            < 5 => Answer(task),
            5 => new CallOutcome.Throttled(LimitWindow.TokensPerMinute, TimeSpan.FromSeconds(3), "slow down"),
            6 => new CallOutcome.TimedOut(TimeSpan.FromSeconds(10)),
            7 => new CallOutcome.Unreachable("nobody is there"),
            8 => new CallOutcome.Malformed("half of it") { BrokenOff = script.Next(2) == 0 },
            9 => new CallOutcome.OutputSpent("it thought too long", 0, 40),
            10 => new CallOutcome.TooLarge("too much"),
            11 => new CallOutcome.HeldBack("its breaker is open"),
            12 => new CallOutcome.ContentRefused("no"),
            _ => script.Next(4) switch
            {
                0 => new CallOutcome.BadRequest("wrong"),
                1 => new CallOutcome.OutOfCredit("no money"),
                2 => new CallOutcome.ModelGone("gone"),
                _ => new CallOutcome.KeyRefused("no key"),
            },
        };
    }

    private CallOutcome.Answered Answer(TaskRow task) =>
        new(
            task.Pass.Name is TaskPasses.Critique or TaskPasses.Verdict
                ? """{"verdict": "revise", "issues": ["A gap."], "score": 0.4}"""
                : "An answer.",
            0, 1 + script.Next(40), null, CutShort: false);
}
