namespace LlmQueue.Bench.Throughput;

/// <summary>English of so many bytes, each prompt's beginning its own.</summary>
internal static class Prompts
{
    public const int Bytes = 1024, MaxOutputTokens = 64;
    private const string Sentence = "the report says that our northern office delivered fewer parcels in March because two bridges were closed for repairs and the drivers had to take longer roads through the hills; ";

    public static string Filler { get; } = string.Concat(Enumerable.Repeat(Sentence, 1 + (Bytes / Sentence.Length)));

    public static string Of(int number, string run) => $"Summarize record {number} of {run}. {Filler}"[..Bytes];
}
