using LlmQueue.Embedded;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Drain;

/// <summary>When and for which window calls were refused: what one looks at when there are too many.</summary>
internal static class Refusals
{
    public static void Print(IReadOnlyList<SimulatedCall> log)
    {
        if (log.Count == 0)
            return;
        var began = log.Min(call => call.ArrivedAt);
        foreach (var bucket in log.GroupBy(call => $"{call.Org}/{call.Model}", StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var first = bucket.Min(call => call.ArrivedAt) - began;
            var refused = bucket.Where(call => call.Status is 429 or 413).GroupBy(call => ((int)(call.ArrivedAt - began).TotalSeconds, call.Window))
                .Select(group => $"{group.Key.Item1} s: {group.Count()} {group.Key.Window}");
            Console.Error.WriteLine($"  {bucket.Key}: {bucket.Count(call => call.Status == 200)} answered, the first call after {first.TotalSeconds:0.00} s, the last after {(bucket.Max(call => call.ArrivedAt) - began).TotalSeconds:0.00} s; refused: {string.Join(", ", refused)}");
        }
    }
}
