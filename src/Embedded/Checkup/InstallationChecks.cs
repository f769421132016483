using LlmQueue.Catalogue;
using LlmQueue.Embedded.Hosting;

namespace LlmQueue.Embedded.Checkup;

/// <summary>Checks of settings, catalogue and disk, which need no server.</summary>
internal static class InstallationChecks
{
    private const long LittleSpace = 1_000_000_000;
    private const long TooLittleSpace = 100_000_000;

    public static IEnumerable<Finding> Settings(Installation installation)
    {
        var settings = installation.Settings;
        foreach (var warning in settings.Warnings)
            yield return new Finding(Grade.Warning, "settings", warning);
        yield return new Finding(Grade.Ok, "settings",
            $"read; budget {(settings.DailyBudgetUsd is { } usd ? $"{usd} US dollars a day" : "unlimited")}, "
                + $"API {(settings.Tokens.Count == 0 ? "for this machine only" : $"for {settings.Tokens.Count} tokens")}.");
    }

    public static IEnumerable<Finding> Catalogue(Installation installation, DateOnly today)
    {
        var (catalogue, settings) = (installation.Catalogue, installation.Settings);
        var inService = catalogue.Models.Where(m => !m.IsRetired(today)).ToList();
        var usable = inService.Count(m => settings.NoKeys || settings.Providers.ContainsKey(m.Id.Provider));
        yield return new Finding(usable > 0 ? Grade.Ok : Grade.Failed, "catalogue",
            $"{catalogue.Models.Count} models, {inService.Count} in service, "
                + $"{usable} of them {(settings.NoKeys ? "simulated" : "with a key")}."
                + $"{(usable > 0 ? "" : " Set a key of a provider whose models are in the catalogue.")}");
        foreach (var retirement in RetirementRule.Of(catalogue, today))
            yield return new Finding(retirement.IsWarning ? Grade.Warning : Grade.Ok, "catalogue", retirement.Sentence);
    }

    public static Finding DataFolder(Installation installation)
    {
        var folder = installation.Settings.DataFolder;
        try
        {
            Directory.CreateDirectory(folder);
            var probe = Path.Combine(folder, $".probe-{Environment.ProcessId}");
            File.WriteAllText(probe, "");
            File.Delete(probe);
            var free = new DriveInfo(folder).AvailableFreeSpace;
            var space = $"{free / 1_000_000_000.0:0.0} GB free in {folder}";
            return free < TooLittleSpace
                ? new Finding(Grade.Failed, "disk", $"{space}. Make room, or name another folder with LLMQUEUE_DATA.")
                : free < LittleSpace ? new Finding(Grade.Warning, "disk", $"{space}. Prompts and answers are kept 30 days; make room.")
                : new Finding(Grade.Ok, "disk", $"{space}, writable.");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return new Finding(Grade.Failed, "disk",
                $"The data folder {folder} cannot be written to: "
                    + $"{fault.Message} Make it writable, or name another one with LLMQUEUE_DATA.");
        }
    }
}
