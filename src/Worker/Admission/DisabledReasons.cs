namespace LlmQueue.Worker.Admission;

/// <summary>Why nothing is sent to a bucket at all.</summary>
public static class DisabledReasons
{
    public const string Gone = "the model is gone";
    public const string Refused = "no key is accepted";

    public static bool IsGone(string? reason) => reason?.StartsWith(Gone, StringComparison.Ordinal) == true;
}
