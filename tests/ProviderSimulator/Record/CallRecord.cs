using System.Text.Json;
using ProviderSimulator.Limits;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Record;

/// <summary>One call as the provider saw it. Written by the call itself; readers may see it half-way.</summary>
internal sealed class CallRecord
{
    private bool _closing;
    private bool _ended;

    public long N { get; set; }
    public DateTimeOffset ArrivedAt { get; set; }
    public DateTimeOffset? EndedAt { get; set; }
    public required string Org { get; init; }
    public required string KeyTail { get; init; }
    public string Model { get; init; } = "";

    /// <summary>0: nothing was sent.</summary>
    public int Status { get; set; }

    public int PromptTokens { get; init; }
    public int? MaxTokens { get; init; }
    public int CompletionTokens { get; set; }

    /// <summary>Tokens taken from the windows, after corrections at the end.</summary>
    public long Charged { get; set; }

    public PromptHash? PromptHash { get; init; }
    public PromptHash? AnswerHash { get; set; }
    public string Outcome { get; set; } = "inFlight";
    public LimitWindow? Window { get; set; }
    public bool Delivered { get; set; }

    /// <summary>The last bytes are on their way: the caller may know of the end before the log does.</summary>
    public bool Closing { get => Volatile.Read(ref _closing); set => Volatile.Write(ref _closing, value); }

    public bool Ended { get => Volatile.Read(ref _ended); set => Volatile.Write(ref _ended, value); }

    public bool Stream { get; init; }

    public void WriteArrival(Utf8JsonWriter writer)
    {
        writer.WriteNumber("n", N);
        writer.WriteString("arrivedAt", ArrivedAt);
        writer.WriteString("org", Org);
        writer.WriteString("keyTail", KeyTail);
        writer.WriteString("model", Model);
        writer.WriteNumber("promptTokens", PromptTokens);
        WriteNumber(writer, "maxTokens", MaxTokens);
        writer.WriteString("promptHash", PromptHash?.ToString());
        writer.WriteBoolean("stream", Stream);
    }

    public void WriteEnd(Utf8JsonWriter writer)
    {
        if (EndedAt is { } ended)
        {
            writer.WriteString("endedAt", ended);
        }
        else
        {
            writer.WriteNull("endedAt");
        }

        writer.WriteNumber("status", Status);
        writer.WriteNumber("completionTokens", CompletionTokens);
        writer.WriteNumber("charged", Charged);
        writer.WriteString("answerHash", AnswerHash?.ToString());
        writer.WriteString("outcome", Outcome);
        writer.WriteString("window", Window?.ShortName);
        writer.WriteBoolean("delivered", Delivered);
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, int? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }
}
