using LlmQueue.Catalogue;

namespace LlmQueue.Worker.Calling.Guards;

/// <summary>Decides the timeout of a call. Pure.</summary>
public static class CallTimeoutRule
{
    /// <param name="model">The model that is called; null when the catalogue has dropped it.</param>
    /// <param name="othersLeft">True when another model of the chain has not been tried in this round and could be asked now.</param>
    /// <param name="options">The worker's time-outs.</param>
    /// <returns>A short time while others are left, so that a provider that hangs costs seconds; the whole time for the last one.</returns>
    public static TimeSpan For(ModelEntry? model, bool othersLeft, WorkerOptions options)
    {
        // The Rescuer takes a call that is open for twice the longest for lost.
        var most = options.CallTimeout * 2;
        var own = model?.FirstChoiceTimeout;
        var timeout = othersLeft ? own ?? Shorter(options.FirstChoiceTimeout, options.CallTimeout)
            : own > options.CallTimeout ? own.Value
            : options.CallTimeout;
        return Shorter(timeout, most);
    }

    /// <summary>
    /// The models of a chain that this round has still to try after the present one. Each fault sends its model to the end and the next one
    /// to the front.
    /// </summary>
    public static IEnumerable<string> Untried(IReadOnlyList<string> chain, string model, int faults) =>
        chain.Count == 0 ? [] : chain.Take(chain.Count - (faults % chain.Count)).Where(m => m != model);

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
