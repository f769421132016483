namespace LlmQueue.Worker.Calling.Providers;

/// <summary>A server of one's own: Ollama, llama.cpp, vLLM, LM Studio. It has no limits to tell.</summary>
internal sealed class LocalProvider() : OpenAiCompatibleProvider("local")
{
    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        // llama.cpp: exceed_context_size_error.
        new(ErrorMeaning.ContextExceeded, (_, error) => error.Names("exceed_context_size") || error.Says("context size")),
    ];
}
