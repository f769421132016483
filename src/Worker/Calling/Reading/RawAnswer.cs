namespace LlmQueue.Worker.Calling.Reading;

/// <summary>An HTTP answer, as it came.</summary>
/// <param name="Status">Of the response.</param>
/// <param name="Body">Its bytes; of a stream the whole that was put together from it.</param>
/// <param name="Header">A header by its name, whatever its case; null where there is none.</param>
public sealed record RawAnswer(int Status, ReadOnlyMemory<byte> Body, Func<string, string?> Header)
{
    public bool IsSuccess => Status is >= 200 and < 300;
}
