using System.Globalization;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Batches;

namespace LlmQueue.Tests.Exploration;

/// <summary>What must hold after every commit, and what at the end.</summary>
internal sealed class Laws(World world)
{
    private readonly Dictionary<Guid, int> endedAt = [];

    /// <summary>Calls made, by attempt.</summary>
    public Dictionary<(Guid Task, int Number), int> Calls { get; } = [];

    /// <summary>Attempts whose own call was answered.</summary>
    public HashSet<(Guid Task, int Number)> Answered { get; } = [];

    /// <summary>The first law that does not hold; null while all do.</summary>
    public string? Broken() =>
        world.Tasks.Values.Select(Broken).OfType<string>().FirstOrDefault()
        ?? world.Buckets.Values.Select(Broken).OfType<string>().FirstOrDefault()
        ?? world.Budgets.Values.Select(Broken).OfType<string>().FirstOrDefault()
        ?? (world.Overdrawn is { } bucket
            ? Said(
                $"{bucket.Id} was given out below zero: {bucket.LevelRequestsMinute} requests, {bucket.LevelTokensMinute} tokens are left of the minute")
            : null)
        ?? Calls.Where(call => call.Value > 1)
            .Select(call => Said($"attempt {call.Key.Number} was called {call.Value} times")).FirstOrDefault();

    /// <summary>Once nothing is on its way any more.</summary>
    public string? BrokenAtTheEnd()
    {
        foreach (var task in world.Tasks.Values)
        {
            if (task.EndedAt is null)
            {
                return $"a task never ends: {task.State}, {task.Wait.Reason}";
            }

            var entries = world.History.Where(entry => entry.SubjectId == task.CorrelationId && TaskStates.Ends.Contains(entry.Entry))
                .ToList();
            if (entries.Count != 1)
            {
                return $"a task ended {entries.Count} times";
            }

            var (answers, told) = (world.Payloads.ContainsKey((task.CorrelationId, PayloadRow.Answer)) ? 1 : 0,
                world.Announced.OfType<LlmTaskCompleted>().Count(e => e.TaskId == task.CorrelationId));
            var wanted = task.State == TaskStates.Completed ? 1 : 0;
            if (answers != wanted || told != wanted)
            {
                return $"a {task.State} task has {answers} answers and was told of {told} times";
            }
        }

        return Broken();
    }

    private string? Broken(TaskRow task)
    {
        var attempts = world.Attempts.Where(attempt => attempt.Key.Task == task.CorrelationId)
            .Select(attempt => attempt.Value).OrderBy(attempt => attempt.Number).ToList();
        var open = attempts.Where(attempt => attempt.EndedAt is null).ToList();
        if (!attempts.Select(attempt => attempt.Number).SequenceEqual(Enumerable.Range(1, task.Attempt)))
        {
            return Said($"at attempt {task.Attempt} it has the attempts {string.Join(' ', attempts.Select(attempt => attempt.Number))}");
        }

        if (World.IsCalled(task) ? open.Count != 1 || open[0].Number != task.Attempt : open.Count != 0)
        {
            return Said($"{open.Count} attempts are open in {task.State}");
        }

        if (attempts.Find(attempt => attempt.Outcome == "answered" && !Answered.Contains((task.CorrelationId, attempt.Number)))
            is { } other)
        {
            return Said($"attempt {other.Number} is kept as answered, and another's call was");
        }

        if ((task.Reservation.Bucket is not null) != (World.IsCalled(task) || task.Wait.GrantedAt is not null))
        {
            return $"{task.State} with {(task.Reservation.Bucket is null ? "no" : "a")} reservation";
        }

        if (task.CostUsd != attempts.Sum(attempt => attempt.CostUsd ?? 0))
        {
            return Said($"it cost {task.CostUsd}, its attempts {attempts.Sum(attempt => attempt.CostUsd ?? 0)}");
        }

        if (task.EndedAt is not null && !endedAt.TryAdd(task.CorrelationId, task.Version) && endedAt[task.CorrelationId] != task.Version)
        {
            return "something happened after its end";
        }

        return TaskStates.Ends.Contains(task.State) == (task.EndedAt is not null) ? null : $"{task.State}, ended {task.EndedAt}";
    }

    private string? Broken(TokenBucket bucket)
    {
        var holders = world.Tasks.Values.Where(task => task.Reservation.Bucket == bucket.Id).ToList();
        var (requests, tokens) = (bucket.ReservedRequests - bucket.SettledRequests - bucket.ReleasedRequests,
            bucket.ReservedTokens - bucket.SettledTokens - bucket.ReleasedTokens);
        if (requests != holders.Count || tokens != holders.Sum(task => task.Reservation.Tokens))
        {
            var held = holders.Sum(task => task.Reservation.Tokens);
            return Said($"{bucket.Id} holds {requests} requests and {tokens} tokens, its tasks {holders.Count} and {held}");
        }

        var waiting = world.Tasks.Values.Count(task => task is { State: TaskStates.WaitingForCapacity, Wait.GrantedAt: null }
            && world.Lines[task.Wait.QueueId!].BucketIds.Contains(bucket.Id));
        return bucket.Waiting == waiting ? null : Said($"{bucket.Id} counts {bucket.Waiting} as waiting, and {waiting} wait");
    }

    private string? Broken(Budget budget)
    {
        var held = world.Tasks.Values.Where(
            task => task.Reservation.Bucket is not null && task.Reservation.Budgets is { } drawn && drawn.Ids.Contains(budget.Id))
            .Sum(task => task.Reservation.Usd ?? 0);
        if (budget.InFlightUsd != held)
        {
            return Said($"{budget.Id} has {budget.InFlightUsd} in flight, its tasks hold {held}");
        }

        if (budget.SpentUsd != world.Tasks.Values.Sum(task => task.CostUsd))
        {
            return Said($"{budget.Id} has spent {budget.SpentUsd}, its tasks {world.Tasks.Values.Sum(task => task.CostUsd)}");
        }

        if (budget.LimitUsd is { } limit && budget.SpentUsd + budget.InFlightUsd > limit)
        {
            return Said($"{budget.Id} is overspent: {budget.SpentUsd} and {budget.InFlightUsd} in flight, of {limit}");
        }

        var waiting = world.Tasks.Values.Count(task => task.State == TaskStates.WaitingForBudget && task.Wait.QueueId == budget.Id);
        return budget.Waiting == waiting ? null : Said($"{budget.Id} counts {budget.Waiting} as waiting, and {waiting} wait");
    }

    private static string Said(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
