using LlmQueue.OpenAi;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>
/// OpenAI: platform.openai.com/docs/guides/error-codes, /docs/guides/images-vision. Limits are told in the headers that all others copy.
/// </summary>
internal sealed class OpenAiProvider() : OpenAiCompatibleProvider("openai")
{
    /// <summary>Its reasoning models refuse max_tokens ("Use 'max_completion_tokens' instead."); the others take both.</summary>
    public override string MaxTokensParameter => "max_completion_tokens";

    /// <summary>Its reasoning models refuse any but 1 (unsupported_value).</summary>
    public override bool TakesTemperature => false;

    public override IReadOnlyList<ErrorSign> ErrorSigns { get; } =
    [
        // Money comes as a 429 or a 400, and no wait brings it back.
        new(ErrorMeaning.OutOfCredit, (_, error) => error.Names(
            "insufficient_quota", "credit_balance_exhausted", "spend_limit", "billing_hard_limit_reached", "billing_not_active")),
        // A project without access to it.
        new(ErrorMeaning.ModelGone, (_, error) => error.Says("does not have access to model")),
        new(ErrorMeaning.ContentRefused, (status, error) =>
            ErrorSign.RejectsRequest(status) && error.Names("content_policy", "invalid_prompt")),
    ];

    /// <summary>85 for detail low; else scaled into 2048 × 2048, its shorter side to 768, 85 and 170 for each tile of 512.</summary>
    public override int ImageTokens(ImageSize size, string? detail) =>
        detail == "low" ? 85 : 85 + (170 * size.Within(2048).Within(shorter: 768).Tiles(512));
}
