using System.Globalization;

namespace LlmQueue.Bench.Throughput;

/// <summary>What processes have used, as the kernel counts it.</summary>
internal static class Processors
{
    private const double TicksPerSecond = 100;

    /// <summary>Seconds of processor time of a process, its children and those it has outlived.</summary>
    public static double SecondsOf(int process)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? Read(id) : null).OfType<Usage>().ToList();
        var tree = new HashSet<int> { process };
        for (var grown = true; grown;)
            grown = all.Where(one => tree.Contains(one.Parent) && !tree.Contains(one.Id)).ToList() is { Count: > 0 } children && children.TrueForAll(child => tree.Add(child.Id));
        return all.Where(one => tree.Contains(one.Id)).Sum(one => one.Ticks) / TicksPerSecond;
    }

    /// <summary>Whether a process is another's child, or a child of its child.</summary>
    public static bool IsUnder(int process, int ancestor)
    {
        for (var at = Read(process); at is not null && at.Parent > 1; at = Read(at.Parent))
            if (at.Parent == ancestor)
                return true;
        return false;
    }

    /// <summary>The most memory a process has had, in megabytes.</summary>
    public static long PeakMegabytes(int process) => Memory(process, "VmHWM");

    /// <summary>The memory a process has, in megabytes.</summary>
    public static long Megabytes(int process) => Memory(process, "VmRSS");

    private static long Memory(int process, string what) =>
        long.Parse(File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(what, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;

    private static Usage? Read(int id)
    {
        try
        {
            // The name, in brackets, may have anything in it; what follows has not.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return new Usage(id, int.Parse(fields[1], CultureInfo.InvariantCulture), fields[11..15].Sum(ticks => long.Parse(ticks, CultureInfo.InvariantCulture)));
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return null;
        }
    }

    private sealed record Usage(int Id, int Parent, long Ticks);
}
