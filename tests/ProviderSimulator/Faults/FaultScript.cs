using System.Text.Json;
using System.Text.Json.Serialization;
using ProviderSimulator.Limits;

namespace ProviderSimulator.Faults;

/// <summary>A fault as it is posted: which calls it hits, how often, and what happens to them.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record FaultScript
{
    public FaultMatch? Match { get; init; }

    /// <summary>How many matching calls it hits; absent: until it is removed.</summary>
    public int? Times { get; init; }

    /// <summary>Which share of the matching calls it hits, by a chance that is the same in every run; absent: all of them.</summary>
    public double? Share { get; init; }

    /// <summary>How many matching calls go through unharmed first.</summary>
    public int Skip { get; init; }

    public required Fault Fault { get; init; }
}

/// <summary>
/// All that is given must fit; nothing given fits every call. Model, key and org are whole values, contains is a part of any message.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record FaultMatch(string? Model, string? Key, string? Org, string? Contains);

[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ThrottleFault(double RetryAfterSeconds, string? Window)
{
    public LimitWindow LimitWindow => LimitWindows.Named(Window ?? "TPM")
        ?? throw new FormatException($"throttle.window: found '{Window}', expected TPM, RPM, TPD or RPD.");
}

/// <summary>One of these, optionally with delayMs; status also chooses the status of modelGone (400 or 404).</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record Fault
{
    public int? Status { get; init; }
    public JsonElement? Body { get; init; }
    public IReadOnlyDictionary<string, string>? Headers { get; init; }
    public int DelayMs { get; init; }
    public bool Hang { get; init; }
    public bool Reset { get; init; }
    public bool Half { get; init; }
    public bool Empty { get; init; }
    public bool Reasoning { get; init; }
    public bool Garbage { get; init; }
    public bool ModelGone { get; init; }
    public bool KeyRevoked { get; init; }
    public bool OutOfCredit { get; init; }
    public bool Refused { get; init; }
    public bool ErrorIn200 { get; init; }
    public ThrottleFault? Throttle { get; init; }

    /// <summary>The words of an answer that is otherwise whole: what a test needs a model to have said.</summary>
    public string? Say { get; init; }

    /// <summary>The name it goes by in the log ("fault:hang"); throws when the script names none.</summary>
    [JsonIgnore]
    public FaultKind Kind => this switch
    {
        { Hang: true } => FaultKind.Hang,
        { Reset: true } => FaultKind.Reset,
        { Half: true } => FaultKind.Half,
        { Empty: true } => FaultKind.Empty,
        { Reasoning: true } => FaultKind.Reasoning,
        { Garbage: true } => FaultKind.Garbage,
        { ModelGone: true } => FaultKind.ModelGone,
        { KeyRevoked: true } => FaultKind.KeyRevoked,
        { OutOfCredit: true } => FaultKind.OutOfCredit,
        { Refused: true } => FaultKind.Refused,
        { ErrorIn200: true } => FaultKind.ErrorIn200,
        { Say: not null } => FaultKind.Say,
        { Throttle: not null } => FaultKind.Throttle,
        { Status: not null } => FaultKind.Status,
        { DelayMs: > 0 } => FaultKind.Delay,
        _ => throw new FormatException("fault: found none, expected one of those in the README's table, such as {\"hang\":true}."),
    };
}

internal enum FaultKind
{
    Status,
    Throttle,
    ModelGone,
    KeyRevoked,
    OutOfCredit,
    Delay,
    Hang,
    Reset,
    Half,
    Empty,
    Reasoning,
    Garbage,
    Refused,
    ErrorIn200,
    Say,
}

internal static class FaultKinds
{
    extension(FaultKind kind)
    {
        /// <summary>
        /// A refusal comes before the limits and costs nothing; every other fault befalls a call that was admitted and charged.
        /// </summary>
        public bool IsRefusal => kind <= FaultKind.OutOfCredit;

        public string LogName => "fault:" + JsonNamingPolicy.CamelCase.ConvertName(kind.ToString());
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(FaultScript))]
internal sealed partial class FaultJson : JsonSerializerContext;
