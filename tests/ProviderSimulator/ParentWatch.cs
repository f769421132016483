using System.Diagnostics;
using System.Globalization;

namespace ProviderSimulator;

/// <summary>Ends the simulator when the test run that started it is gone, however it went: a killed one cannot clean up.</summary>
internal static class ParentWatch
{
    public static async Task Watch(int parentProcessId, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        var born = Born(parentProcessId);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        // The same number with another birth is another process.
        while (born is not null && Born(parentProcessId) == born)
        {
            await timer.WaitForNextTickAsync();
        }

        lifetime.StopApplication();
    }

    /// <summary>Something that is the same as long as the process lives; null when it does not.</summary>
    private static string? Born(int processId)
    {
        try
        {
            return OperatingSystem.IsLinux() ? BornOnLinux(processId) : BornElsewhere(processId);
        }
        catch (Exception error) when (error is ArgumentException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return null;
        }
    }

    // Process does not tell a zombie from a living process; the kernel's line does. The command in brackets may hold spaces.
    private static string? BornOnLinux(int processId)
    {
        const int StartTime = 19;
        var line = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat"));
        var fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X" ? null : fields[StartTime];
    }

    private static string BornElsewhere(int processId)
    {
        using var process = Process.GetProcessById(processId);
        return process.StartTime.ToString("O", CultureInfo.InvariantCulture);
    }
}
