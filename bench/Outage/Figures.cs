using System.Globalization;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Bench.Outage;

/// <summary>One task as its row and its attempts tell.</summary>
internal sealed record Lived(DateTime SubmittedAt, DateTime? EndedAt, string State);

/// <summary>What the tasks noticed. Extra time is a task's time from submission to its end, less the median of those that ended before the outage.</summary>
internal sealed record Figures(string Way, int Completed, double UsualMs, double OpenedAfterMs, int InFlight, double InFlightP95Ms, int Later, double LaterP95Ms, double? ProbedAfterMs, int AtOnce200Ms)
{
    public const string Heading = "way      completed  usual ms  opened after ms  on their way  p95 extra ms  later  p95 extra ms  back: first call after ms  most at once in its first 200 ms";

    /// <summary>Of a ramp that begins with two at once and doubles with each round of answers, in 200 ms: a flood would be all that waits.</summary>
    private const int MostAtOnce = 16;

    public bool Hold => Completed == Outage.Tasks && InFlightP95Ms <= (Outage.FirstChoiceSeconds + 1) * 1000 && LaterP95Ms <= 50 && ProbedAfterMs is not null && AtOnce200Ms <= MostAtOnce;

    public static Figures Of(string way, IReadOnlyList<Lived> tasks, DateTime down, DateTime opened, DateTime back, IReadOnlyList<SimulatedCall> sinceBack)
    {
        static double Ms(Lived task) => (task.EndedAt!.Value - task.SubmittedAt).TotalMilliseconds;
        var ended = tasks.Where(t => t.State == "Completed").ToList();
        var usual = At(ended.Where(t => t.EndedAt < down).Select(Ms), 50);
        var inFlight = ended.Where(t => t.EndedAt >= down && t.SubmittedAt < opened).Select(t => Ms(t) - usual).ToList();
        var later = ended.Where(t => t.SubmittedAt >= opened && t.SubmittedAt < back).Select(t => Ms(t) - usual).ToList();
        var first = sinceBack.Count == 0 ? (DateTime?)null : sinceBack[0].ArrivedAt.UtcDateTime;
        var early = sinceBack.Where(c => c.ArrivedAt.UtcDateTime < first!.Value.AddMilliseconds(200)).ToList();
        var atOnce = early.Count == 0 ? 0 : early.Max(call => early.Count(other => other.ArrivedAt <= call.ArrivedAt && other.EndedAt > call.ArrivedAt));
        return new Figures(way, ended.Count, usual, (opened - down).TotalMilliseconds, inFlight.Count, At(inFlight, 95), later.Count, At(later, 95), (first - back)?.TotalMilliseconds, atOnce);
    }

    public override string ToString() =>
        $"{Way,-8} {Completed,9}  {UsualMs,8:0}  {OpenedAfterMs,15:0}  {InFlight,12}  {InFlightP95Ms,12:0}  {Later,5}  {LaterP95Ms,12:0}  {ProbedAfterMs?.ToString("0", CultureInfo.InvariantCulture) ?? "none any more",24}  {AtOnce200Ms,33}";

    private static double At(IEnumerable<double> values, int percent)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, sorted.Count * percent / 100)];
    }
}
