using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Outbox;
using LlmQueue.Worker.Admission;
using LlmQueue.Worker.Leases;

namespace LlmQueue.Worker.Maintenance;

/// <summary>
/// Opens the buckets that a catalogue describes, at the start and whenever it changes: a model is never named to a decision before
/// its buckets are there.
/// </summary>
public sealed class CatalogueSynchronizer(
    BucketDirectory directory, BucketOpening buckets, OutboxPublisher outbox, WorkerIdentity identity, TimeProvider clock)
    : ICatalogueFollower
{
    /// <summary>
    /// At the start: every bucket, and what disabled one is forgotten, since a person may have replaced the key or mended the catalogue.
    /// </summary>
    public Task OpenAll(CancellationToken cancellationToken) => buckets.Open(directory.All, reloaded: null, cancellationToken);

    public async Task Follow(ModelCatalogue next, IReadOnlyList<string> changes, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var reloaded = new OutboxMessage(Guid.CreateVersion7(),
            new CatalogueReloaded { Worker = identity.Name, Fingerprint = next.Fingerprint, Changes = changes, At = now }, now);
        var ways = directory.Of(next);
        // A bucket whose model reads as before keeps what was learned of it, a closing and a disabling included.
        await buckets.Open(ways.All.Where(way => directory.Find(way.Id) is not { } known || !known.Model.ReadsAs(way.Model)), reloaded,
            cancellationToken);
        directory.Take(ways);
        outbox.Publish([reloaded]);
    }
}
