using LlmQueue.Contracts;

namespace LlmQueue.Worker.Estimation;

/// <summary>
/// The calibration of a model: how its own counts differ from the estimate, learned from its answers: tokens = A + B × units.
/// </summary>
/// <param name="A">Tokens of the model's chat template, whatever the prompt.</param>
/// <param name="B">Tokens for a unit of text.</param>
/// <param name="Samples">Answers it was learned from.</param>
public sealed record TokenCalibration(double A, double B, int Samples)
{
    /// <summary>With fewer samples than this the estimate keeps its margin.</summary>
    public const int Enough = 20;

    /// <summary>Nothing learned yet.</summary>
    public static TokenCalibration None { get; } = new(0, 1, 0);

    // A fit that went wrong must not reserve nothing, or everything.
    internal bool IsUsable => double.IsFinite(A) && A is >= 0 and <= 10_000 && double.IsFinite(B) && B is >= 0.25 and <= 4;
}

/// <summary>
/// Estimates the tokens of a prompt without a tokenizer. Characters divided by four over-counts English by a tenth and under-counts Korean
/// by 60 %, Ukrainian by up to 47 % and Finnish by up to 39 %; too few is the dangerous side, so each script counts for itself.
/// </summary>
public static class TokenEstimateRule
{
    /// <summary>What an uncalibrated estimate is raised by.</summary>
    public const double Margin = 1.15;

    /// <summary>Role and separators of each message.</summary>
    public const int TokensPerMessage = 4;

    public static int EstimatePromptTokens(IReadOnlyList<LlmMessage> messages, TokenCalibration calibration)
    {
        return Estimate(UnitsWithFrame(messages), calibration);
    }

    /// <summary>The size a task's row keeps: the text and what frames its messages, in the estimate's own units.</summary>
    public static double UnitsWithFrame(IReadOnlyList<LlmMessage> messages) =>
        Units(messages) + ((double)TokensPerMessage * messages.Count);

    /// <summary>
    /// Before calibration the estimate may be low by a third (reference: the table of five languages); after it, by a tenth.
    /// </summary>
    public static int Most(double units, TokenCalibration calibration) =>
        (int)Math.Ceiling(Estimate(units, calibration) * (calibration.Samples < TokenCalibration.Enough ? 1.5 : 1.15));

    /// <summary>Tokens for so many units, raised by the margin until enough answers have been seen.</summary>
    public static int Estimate(double units, TokenCalibration calibration)
    {
        var fit = calibration.IsUsable ? calibration : TokenCalibration.None;
        var tokens = fit.A + (fit.B * units);
        if (fit.Samples < TokenCalibration.Enough)
            tokens *= Margin;
        return (int)Math.Clamp(Math.Ceiling(tokens), 1, int.MaxValue);
    }

    /// <summary>The text's size in the estimate's own units, about a token each: what a calibration is fitted to.</summary>
    public static double Units(IReadOnlyList<LlmMessage> messages)
    {
        var units = 0.0;
        for (var i = 0; i < messages.Count; i++)
            units += Units(messages[i].Content);
        return units;
    }

    /// <inheritdoc cref="Units(IReadOnlyList{LlmMessage})"/>
    public static double Units(ReadOnlySpan<char> text)
    {
        var count = new ScriptCount();
        for (var i = 0; i < text.Length; i++)
            count.Add(text[i]);
        return count.Units;
    }
}
