using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using MassTransit;

namespace LlmQueue.Contracts;

/// <summary>Priority classes; a smaller number goes first.</summary>
public static class Priorities
{
    public const short Interactive = 0;
    public const short Normal = 1;
    public const short Batch = 2;

    public static string Name(short priority) => priority switch { Interactive => "interactive", Batch => "batch", _ => "normal" };

    public static short? Parse(string? name) => name?.ToLowerInvariant() switch
    {
        null or "" or "normal" => Normal,
        "interactive" => Interactive,
        "batch" => Batch,
        _ => null,
    };
}
