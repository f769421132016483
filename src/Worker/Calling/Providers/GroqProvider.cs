using LlmQueue.Limits;
using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>Groq: console.groq.com/docs/errors, /docs/rate-limits, /docs/deprecations.</summary>
internal sealed class GroqProvider() : OpenAiCompatibleProvider("groq")
{
    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        // A project's block, and terms that an admin has to accept: the key is good for other models.
        new(ErrorMeaning.ModelGone, (_, error) =>
            error.Names("model_decommissioned", "model_permission_blocked", "model_terms_required")
            || error.Says("has been decommissioned")),
        // 498 is the flex tier's.
        new(ErrorMeaning.Overloaded, (status, error) => status == 498 || error.Names("capacity_exceeded")),
        // The model's own JSON or call of a tool was wrong.
        new(ErrorMeaning.BadGeneration, (_, error) => error.Names("json_validate_failed", "tool_use_failed")),
        new(ErrorMeaning.KeyRefused, (status, error) => status == 400 && error.Names("organization_restricted")),
    ];

    /// <summary>Requests are always the day's, tokens always the minute's; the other two windows have no header.</summary>
    protected override ProviderCount ReadCount(Func<string, string?> header, DateTimeOffset now) =>
        new ProviderCount().WithRequests(Requests.Read(header), ofDay: true).WithTokens(Tokens.Read(header));
}
