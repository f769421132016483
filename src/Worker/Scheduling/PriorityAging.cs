namespace LlmQueue.Worker.Scheduling;

/// <summary>
/// Priority aging: no task waits for ever behind a higher class. Of so many grants one goes to the task that has waited longest among those
/// with tasks of a higher class before them, once it has waited for long enough. A share, and not a priority that rises with time: when all
/// tasks wait long, a risen priority would leave no classes at all. Counts grants from cycle to cycle, since a cycle is often a single
/// grant; used by one scheduler at a time.
/// </summary>
/// <param name="after">From when on a task counts as aged.</param>
/// <param name="every">One grant in so many is an aged task's.</param>
public sealed class PriorityAging(TimeSpan after, int every)
{
    private int _sinceAged;

    private int Every => every;

    /// <param name="heads">In the order of priority and fair share.</param>
    /// <param name="now">The present.</param>
    public Round Turns(IReadOnlyList<WaitQueueHead> heads, DateTime now)
    {
        var highest = heads.Count == 0 ? (short)0 : heads[0].Priority;
        var aged = heads.Where(h => h.Priority > highest && now - h.WaitingSince >= after).OrderBy(h => h.WaitingSince)
            .ThenBy(h => h.StartTag);
        return new Round(this, heads, new Queue<WaitQueueHead>(aged));
    }

    /// <summary>The turns of one cycle.</summary>
    public sealed class Round
    {
        private readonly PriorityAging _ageing;
        private readonly IReadOnlyList<WaitQueueHead> _heads;
        private readonly Queue<WaitQueueHead> _aged;
        private readonly HashSet<Guid> _had = [];
        private int _next;
        private bool _nextIsAged;

        internal Round(PriorityAging ageing, IReadOnlyList<WaitQueueHead> heads, Queue<WaitQueueHead> aged) =>
            (_ageing, _heads, _aged) = (ageing, heads, aged);

        /// <summary>The next task in turn; null when all have had theirs.</summary>
        public WaitQueueHead? Next()
        {
            while (_ageing._sinceAged >= _ageing.Every - 1 && _aged.TryDequeue(out var aged))
            {
                if (!_had.Add(aged.Id))
                    continue;
                _nextIsAged = true;
                return aged;
            }

            _nextIsAged = false;
            while (_next < _heads.Count)
                if (_had.Add(_heads[_next++].Id))
                    return _heads[_next - 1];
            return null;
        }

        /// <summary>The task whose turn it was has been granted capacity.</summary>
        public void Granted(WaitQueueHead head)
        {
            if (_nextIsAged)
                _ageing._sinceAged = 0;
            else if (_aged.Count > 0 && head.Priority == _heads[0].Priority)
                _ageing._sinceAged++;
        }
    }
}
