using LlmQueue.Catalogue;
using Npgsql;

namespace LlmQueue.Worker.Estimation;

/// <summary>
/// The real length of answers, by model and kind of task: most tasks ask for far more tokens than they use. What is learned is reserved
/// only where the provider counts answers as they are; for one that charges the longest answer on arrival the longest is reserved. Money is
/// always reserved for the longest.
/// </summary>
public sealed class OutputUses
{
    /// <summary>With fewer answers than this the longest answer is reserved.</summary>
    public const int Enough = 20;

    /// <summary>An answer is longer than the mean by more than this many standard deviations about once in fifty.</summary>
    private const double Deviations = 2;

    public OutputUses(NpgsqlDataSource database) => Sums = new SharedSums(database, "output_uses", ["n", "t", "tt"], fading: 1000);

    /// <summary>Answers, their tokens, their tokens squared.</summary>
    internal SharedSums Sums { get; }

    public void Learn(string model, string? kind, long outputTokens)
    {
        if (outputTokens > 0)
            Sums.Add(Key(model, kind), 1, outputTokens, (double)outputTokens * outputTokens);
    }

    /// <summary>Output tokens to reserve for such a task; never more than it may use.</summary>
    public int Estimate(ModelEntry model, string? kind, int maxOutputTokens) =>
        model.ChargesMaxOutput || Sums.Of(Key(model.Id.ToString(), kind)) is not { } s || s[0] < Enough ? maxOutputTokens
            : (int)Math.Clamp(
                Math.Ceiling((s[1] / s[0]) + (Deviations * Math.Sqrt(Math.Max(0, (s[2] / s[0]) - (s[1] / s[0] * (s[1] / s[0])))))), 1,
                maxOutputTokens);

    private static string Key(string model, string? kind) => $"{model}|{kind}";
}
