using System.Collections.Frozen;
using System.Text;

namespace LlmQueue.Worker.PageSummaries.Extraction;

/// <summary>What an extract may be.</summary>
/// <param name="MostCharacters">Its length; a script without spaces says about three times as much in one, and gets a third.</param>
/// <param name="MostSentences">Sentences that are compared with each other: time grows with its square. What is above is thinned out
/// evenly, the beginning less.</param>
/// <param name="Question">What the reader wants to know; null for a plain summary.</param>
public sealed record ExtractLimits(int MostCharacters, int MostSentences = 300, string? Question = null);
