using System.CommandLine;
using LlmQueue.Embedded.Hosting;

namespace LlmQueue.Embedded.Checkup;

/// <summary>The severity of a finding; only Failed makes the command fail.</summary>
internal enum Grade
{
    Ok,
    Warning,
    Failed,
}

/// <summary>A finding of the doctor command: what was checked, its state, and what to do.</summary>
internal sealed record Finding(Grade Grade, string What, string Sentence)
{
    public override string ToString() =>
        $"{Grade switch { Grade.Ok => "OK     ", Grade.Warning => "WARNING", _ => "FAILED " }}  {What,-10} {Sentence}";
}

/// <summary>The command ./run.sh doctor: checks everything the queue needs, a line each.</summary>
internal static class DoctorCommand
{
    public static Command Define(CommandContext context)
    {
        var command = new Command("doctor", "Checks settings, keys, database, broker, port and disk, and says what to do.");
        command.SetAction((_, _) => Run(context.Clock, context.Stop));
        return command;
    }

    private static async Task<int> Run(TimeProvider clock, CancellationToken stop)
    {
        var failed = false;
        await foreach (var finding in Findings(clock, stop))
        {
            Terminal.WriteLine(finding.ToString());
            failed |= finding.Grade == Grade.Failed;
        }

        return failed ? ExitCodes.Failed : ExitCodes.Done;
    }

    private static async IAsyncEnumerable<Finding> Findings(
        TimeProvider clock, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        Installation? installation = null;
        IReadOnlyList<string> wrong = [];
        try
        {
            installation = Installation.Read();
        }
        catch (Exception fault) when (Refusals.Of(fault) is { } sentences)
        {
            wrong = sentences;
        }

        foreach (var sentence in wrong)
            yield return new Finding(Grade.Failed, "settings", sentence);
        if (installation is null)
            yield break;

        foreach (var finding in InstallationChecks.Settings(installation)
            .Concat(InstallationChecks.Catalogue(installation, DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime))))
            yield return finding;
        await foreach (var finding in KeyChecks.All(installation, stop))
            yield return finding;
        yield return InstallationChecks.DataFolder(installation);
        yield return await ServerFindings.Database(installation, stop);
        yield return await ServerFindings.Broker(installation, stop);
        yield return await ServerFindings.Port(installation, stop);
    }
}
