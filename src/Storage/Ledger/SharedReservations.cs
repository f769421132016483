using LlmQueue.Storage.UnitsOfWork;

namespace LlmQueue.Storage.Ledger;

/// <summary>
/// The shared reservations of one commit: decides who leads and who joins. A commit that is tried again begins with none.
/// </summary>
internal sealed class SharedReservations
{
    private readonly Dictionary<(string Bucket, string Group), OpenReservation> _open = [];

    /// <summary>
    /// Joins the reservation of its group that is not full, else leads a new one; false when there is no room for either.
    /// </summary>
    /// <param name="transition">The unit of work; it is told which.</param>
    /// <param name="tryReserve">Reserves what the unit of work costs then, if there is room.</param>
    public bool TryReserve(UnitOfWork transition, Func<UnitOfWork, bool> tryReserve)
    {
        var shared = transition.Shared!;
        var key = (transition.Reservation!.Bucket, shared.Group);
        if (_open.TryGetValue(key, out var open) && open.Size < shared.MaxSize)
        {
            transition.ReserveAs(open.Lead);
            if (tryReserve(transition))
            {
                open.Size++;
                return true;
            }
        }

        transition.ReserveAs(lead: null);
        if (!tryReserve(transition))
            return false;
        _open[key] = new OpenReservation(transition);
        return true;
    }

    private sealed class OpenReservation(UnitOfWork lead)
    {
        public UnitOfWork Lead => lead;

        public int Size { get; set; } = 1;
    }
}
