using System.Text.Json;
using LlmQueue.Catalogue;

namespace LlmQueue.OpenAi;

/// <summary>A parameter that is refused.</summary>
/// <param name="Name">The parameter.</param>
/// <param name="Sentence">What was found, what was expected.</param>
/// <param name="IsUnknown">The queue does not pass it on at all.</param>
public sealed record WrongParameter(string Name, string Sentence, bool IsUnknown);

/// <summary>
/// Decides which parameters are passed on to a provider, and checks their types. What only changes how an answer is delivered concerns the
/// caller, not the provider.
/// </summary>
public static class ParameterRule
{
    private const int MostStops = 4;

    public static readonly IReadOnlyList<string> Known =
    [
        "temperature", "top_p", "stop", "seed", "response_format", "tools", "tool_choice", "parallel_tool_calls", "presence_penalty",
        "frequency_penalty", "logit_bias", "reasoning_effort", "user", "n",
    ];

    /// <summary>The first thing that is wrong; null when all can be passed on.</summary>
    public static WrongParameter? WhatIsWrong(JsonElement parameters)
    {
        if (parameters.ValueKind is not JsonValueKind.Object)
            return new WrongParameter("parameters", "'parameters' is not an object; expected one such as {\"temperature\": 0.2}.",
                IsUnknown: false);
        foreach (var parameter in parameters.EnumerateObject())
        {
            if (!Known.Contains(parameter.Name, StringComparer.Ordinal))
                return new WrongParameter(parameter.Name,
                    $"The parameter '{Short(parameter.Name)}' is not passed on to providers; "
                        + $"expected one of {string.Join(", ", Known)}{NearestName.Question(parameter.Name, Known)}",
                    IsUnknown: true);
            if (parameter.Value.ValueKind is not JsonValueKind.Null && Expected(parameter.Name, parameter.Value) is { } expected)
                return new WrongParameter(parameter.Name,
                    $"'{parameter.Name}' is {Short(parameter.Value.GetRawText())}; expected {expected}.", IsUnknown: false);
        }

        return null;
    }

    /// <summary>What the value should have been; null when it is right.</summary>
    private static string? Expected(string name, JsonElement value) => name switch
    {
        "temperature" => Between(value, 0, 2),
        "top_p" => Between(value, 0, 1),
        "presence_penalty" or "frequency_penalty" => Between(value, -2, 2),
        "seed" => value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out _) ? null : "a whole number",
        // Providers count several answers to one prompt in ways of their own, and only the first would be kept.
        "n" => value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var n) && n == 1
            ? null
            : "1: for several answers hand in several requests",
        "stop" => value.ValueKind is JsonValueKind.String
            || (value.ValueKind is JsonValueKind.Array
                && value.GetArrayLength() is > 0 and <= MostStops
                && value.EnumerateArray().All(s => s.ValueKind is JsonValueKind.String))
            ? null : $"a text or a list of one to {MostStops} texts",
        "response_format" => value.ValueKind is JsonValueKind.Object
            && value.TryGetProperty("type", out var type)
            && type.ValueKind is JsonValueKind.String
            && type.GetString() is "text" or "json_object" or "json_schema"
            ? null : "an object whose 'type' is 'text', 'json_object' or 'json_schema'",
        "tools" => value.ValueKind is JsonValueKind.Array
            && value.GetArrayLength() > 0
            && value.EnumerateArray().All(t => t.ValueKind is JsonValueKind.Object)
            ? null
            : "a list of at least one tool",
        "tool_choice" => value.ValueKind is JsonValueKind.String or JsonValueKind.Object
            ? null
            : "'none', 'auto', 'required' or an object that names a tool",
        "parallel_tool_calls" => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "true or false",
        "logit_bias" => value.ValueKind is JsonValueKind.Object ? null : "an object of numbers by token",
        _ => value.ValueKind is JsonValueKind.String ? null : "a text",
    };

    private static string? Between(JsonElement value, double least, double most) =>
        value.ValueKind is JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? null
            : $"a number from {least} to {most}";

    private static string Short(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
