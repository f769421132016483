using ProviderSimulator.Answers;
using ProviderSimulator.Settings;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Faults;

/// <summary>
/// The faults that look like success: HTTP 200, a well-formed completion, and nothing in it, or words put into the model's mouth.
/// </summary>
internal static class FaultyAnswers
{
    public static Answer? Replace(Fault? fault, ChatRequest request, ProviderSettings settings) => fault?.Kind switch
    {
        FaultKind.Say => new Answer(fault!.Say!, TokenCounter.Count(fault.Say!), "stop"),
        FaultKind.Empty => new Answer("", 0, "stop"),
        FaultKind.Refused => new Answer("", 0, "content_filter"),
        // A reasoning model can spend all it was allowed on thoughts nobody sees.
        FaultKind.Reasoning => new Answer("", request.MaxTokens ?? settings.DefaultOutputTokens, "length"),
        _ => null,
    };
}
