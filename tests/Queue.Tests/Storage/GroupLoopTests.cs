using System.Collections.Concurrent;
using LlmQueue.Storage.Loops;
using LlmQueue.Tests.Exploration;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmQueue.Tests.Storage;

/// <summary>The loop that handles what waits in groups: what comes into a group, and what becomes of it when something is wrong.</summary>
public sealed class GroupLoopTests : IDisposable
{
    private readonly RecordingClock _clock = new();
    private readonly ConcurrentQueue<int[]> _groups = [];
    private readonly ConcurrentQueue<int> _failed = [];
    private readonly ConcurrentQueue<int> _canceled = [];
    private readonly CancellationTokenSource _stop = new();
    private int _outages;

    [Fact]
    public async Task What_waits_is_handled_together_up_to_the_limit_and_nobody_waits_for_more()
    {
        var loop = Loop(new Script { MaxGroup = 3, Expected = 5 });
        AddAll(loop, 1, 2, 3, 4, 5);

        await RunToEnd(loop);

        Assert.Equal([[1, 2, 3], [4, 5]], _groups);
        Assert.Empty(_canceled.Except([1, 2, 3, 4, 5]));
    }

    [Fact]
    public async Task What_comes_together_is_never_parted()
    {
        var loop = Loop(new Script { MaxGroup = 3, Expected = 7 });
        AddAll(loop, 1, 2);
        Assert.True(loop.TryAddTogether([3, 4, 5, 6]));
        AddAll(loop, 7);

        await RunToEnd(loop);

        Assert.Equal([[1, 2, 3, 4, 5, 6], [7]], _groups);
    }

    [Fact]
    public async Task Two_of_one_key_are_never_in_one_group_and_keep_their_order()
    {
        // The key is the tens' digit.
        var loop = Loop(new Script { Expected = 5, KeyOf = item => new Guid(item / 10, 0, 0, new byte[8]) });
        AddAll(loop, 11, 21, 12, 13, 31);

        await RunToEnd(loop);

        Assert.Equal([[11, 21, 31], [12], [13]], _groups);
    }

    [Fact]
    public async Task A_passing_fault_is_waited_out_with_longer_and_longer_pauses_and_told_once()
    {
        var tries = 0;
        var loop = Loop(new Script
        {
            Expected = 2, Before = _ => ++tries <= 8 ? throw new TimeoutException("the database is away") : Task.CompletedTask,
        });
        AddAll(loop, 1, 2);

        await RunToEnd(loop);

        Assert.Equal([[1, 2]], _groups);
        Assert.Empty(_failed);
        Assert.Equal(1, _outages);
        Assert.Equal([50, 100, 200, 400, 800, 1600, 2000, 2000], _clock.Pauses.Select(pause => pause.TotalMilliseconds));
    }

    [Fact]
    public async Task Every_outage_is_told()
    {
        var tries = 0;
        var loop = Loop(new Script
        {
            MaxGroup = 1, Expected = 2,
            Before = _ => ++tries is 1 or 3 or 4 ? throw new TimeoutException("the database is away") : Task.CompletedTask,
        });
        AddAll(loop, 1, 2);

        await RunToEnd(loop);

        Assert.Equal(2, _outages);
        Assert.Equal([50, 50, 100], _clock.Pauses.Select(pause => pause.TotalMilliseconds));
    }

    [Fact]
    public async Task Another_fault_fails_the_group_and_the_loop_goes_on()
    {
        var loop = Loop(new Script
        {
            MaxGroup = 2, Expected = 4,
            Before = group => group.Contains(2) ? throw new InvalidOperationException("no row takes it") : Task.CompletedTask,
        });
        AddAll(loop, 1, 2, 3, 4);

        await RunToEnd(loop);

        Assert.Equal([1, 2], _failed);
        Assert.Equal([[3, 4]], _groups);
        Assert.Empty(_clock.Pauses);
    }

    [Fact]
    public async Task Where_groups_are_split_only_the_one_at_fault_fails()
    {
        var loop = Loop(new Script
        {
            Splits = true, Expected = 8,
            Before = group => group.Contains(6) ? throw new InvalidOperationException("no row takes it") : Task.CompletedTask,
        });
        AddAll(loop, 1, 2, 3, 4, 5, 6, 7, 8);

        await RunToEnd(loop);

        Assert.Equal([6], _failed);
        Assert.Equal([[1, 2, 3, 4], [5], [7, 8]], _groups);
    }

    [Fact]
    public async Task A_half_that_meets_a_passing_fault_is_tried_again_by_itself()
    {
        var away = true;
        var loop = Loop(new Script
        {
            Splits = true, Expected = 4,
            Before = group =>
            {
                if (group.Contains(1))
                    throw new InvalidOperationException("no row takes it");
                if (group is [3, 4] && away)
                {
                    away = false;
                    throw new TimeoutException("the database is away");
                }

                return Task.CompletedTask;
            },
        });
        AddAll(loop, 1, 2, 3, 4);

        await RunToEnd(loop);

        Assert.Equal([1], _failed);
        Assert.Equal([[2], [3, 4]], _groups);
    }

    [Fact]
    public async Task A_stop_cancels_what_is_being_handled_and_what_waits_and_turns_away_what_comes()
    {
        using var stop = new CancellationTokenSource();
        var began = new TaskCompletionSource();
        var loop = Loop(new Script
        {
            MaxGroup = 2, Expected = int.MaxValue, KeyOf = _ => Guid.Empty,
            Before = async _ =>
            {
                began.TrySetResult();
                await new TaskCompletionSource().Task.WaitAsync(stop.Token);
            },
        });
        AddAll(loop, 1, 2, 3);
        Assert.True(loop.TryAddTogether([4, 5]));

        var running = loop.Run(stop.Token);
        await began.Task.WaitAsync(TestContext.Current.CancellationToken);
        await stop.CancelAsync();
        await running.WaitAsync(TestContext.Current.CancellationToken);

        Assert.Equal([1, 2, 3, 4, 5], _canceled.Order());
        Assert.Empty(_failed);
        Assert.False(loop.TryAdd(6));
        Assert.False(loop.TryAddTogether([7]));
    }

    [Fact]
    public async Task A_stop_in_the_pause_after_a_fault_cancels_the_group()
    {
        using var stop = new CancellationTokenSource();
        var loop = new GroupLoop<int>(new GroupHandling<int>
        {
            MaxGroup = 8, Handle = (_, _) => throw new TimeoutException("the database is away"), Cancel = _canceled.Enqueue,
            IsAway = (_, _) => stop.Cancel(),
        }, TimeProvider.System, NullLogger.Instance);
        AddAll(loop, 1, 2);

        await loop.Run(stop.Token).WaitAsync(TestContext.Current.CancellationToken);

        Assert.Equal([1, 2], _canceled);
    }

    public void Dispose() => _stop.Dispose();

    private static void AddAll(GroupLoop<int> loop, params int[] items) => Assert.All(items, item => Assert.True(loop.TryAdd(item)));

    private Task RunToEnd(GroupLoop<int> loop) => loop.Run(_stop.Token).WaitAsync(TestContext.Current.CancellationToken);

    /// <summary>A loop that notes what it handles, and stops when as many items as expected have been handled or have failed.</summary>
    private GroupLoop<int> Loop(Script script)
    {
        var left = script.Expected;
        return new GroupLoop<int>(new GroupHandling<int>
        {
            MaxGroup = script.MaxGroup, KeyOf = script.KeyOf, SplitsOnFault = script.Splits, Cancel = _canceled.Enqueue,
            IsAway = (_, _) => _outages++,
            Handle = async (group, _) =>
            {
                await script.Before(group);
                _groups.Enqueue([.. group]);
                End(group.Count);
            },
            Fail = (item, _) =>
            {
                _failed.Enqueue(item);
                End(1);
            },
        }, _clock, NullLogger.Instance);

        void End(int count)
        {
            left -= count;
            if (left == 0)
                _stop.Cancel();
        }
    }

    private sealed record Script
    {
        public int MaxGroup { get; init; } = 100;
        public required int Expected { get; init; }
        public Func<List<int>, Task> Before { get; init; } = _ => Task.CompletedTask;
        public Func<int, Guid>? KeyOf { get; init; }
        public bool Splits { get; init; }
    }

    /// <summary>Notes how long it was to wait, and does not.</summary>
    private sealed class RecordingClock : TimeProvider
    {
        public ConcurrentQueue<TimeSpan> Pauses { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Pauses.Enqueue(dueTime);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
