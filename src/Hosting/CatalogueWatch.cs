using LlmQueue.Catalogue;
using LlmQueue.Hosting.Telemetry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmQueue.Hosting;

/// <summary>
/// Reloads the catalogue file when it changes. A file that has errors is refused with its lines and the old catalogue stays; a valid one
/// counts for every decision from then on, once its followers are ready for it.
/// </summary>
public sealed class CatalogueWatch(
    CurrentCatalogue catalogue, IEnumerable<ICatalogueFollower> followers, QueueMetrics metrics, TimeProvider clock,
    ILogger<CatalogueWatch> logger) : BackgroundService
{
    private string? _said;
    private string _seen = "";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (catalogue.File is not { } file)
            return;
        using var timer = new PeriodicTimer(file.LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await Look(file, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            logger.LogDebug("The catalogue is looked at no more.");
        }
    }

    private async Task Look(CatalogueFile file, CancellationToken cancellationToken)
    {
        try
        {
            // Comparing is cheap and parsing is not, so most looks end here.
            var fingerprint = ModelCatalogue.FingerprintOf(ModelCatalogue.ReadText(file.Path));
            if (fingerprint == catalogue.Now.Fingerprint)
            {
                _said = null;
                return;
            }

            // Seen twice alike: an editor may be half-way through writing it.
            if (fingerprint != _seen)
            {
                _seen = fingerprint;
                return;
            }

            var next = ModelCatalogue.Load(file.Path);
            next = file.Adapt?.Invoke(next) ?? next;
            var changes = CatalogueChanges.Between(catalogue.Now, next);
            foreach (var follower in followers)
                await follower.Follow(next, changes, cancellationToken);
            catalogue.Take(next);
            _said = null;
            metrics.CatalogueReloaded("taken");
            logger.LogInformation("The catalogue {Path} was changed and counts from now on ({Fingerprint}): {Changes}.", file.Path,
                next.Fingerprint, string.Join("; ", changes));
        }
        catch (CatalogueException refused)
        {
            if (IsNew(refused.Message))
            {
                metrics.CatalogueReloaded("refused");
                logger.LogError(
                    "The catalogue was changed and does not fit; the one before it ({Fingerprint}) stays. "
                        + "Mend this and it is read again:\n{Problems}",
                    catalogue.Now.Fingerprint, refused.Message);
            }
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested && fault is not OutOfMemoryException)
        {
            if (IsNew(fault.Message))
                logger.LogWarning("The catalogue was changed and cannot be taken up yet ({Reason}); it is tried again every {Seconds} s.",
                    fault.Message, file.LookEvery.TotalSeconds);
        }
    }

    /// <summary>The same sentence every two seconds would bury the others.</summary>
    private bool IsNew(string sentence)
    {
        var isNew = _said != sentence;
        _said = sentence;
        return isNew;
    }
}
