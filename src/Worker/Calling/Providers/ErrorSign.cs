using LlmQueue.Worker.Calling.Reading;

namespace LlmQueue.Worker.Calling.Providers;

/// <summary>The meaning of an error beyond its status, in the order in which meanings are looked for: the first found counts.</summary>
public enum ErrorMeaning
{
    /// <summary>Money is held for calls on their way; with them it comes back.</summary>
    CreditInFlight,

    /// <summary>The balance pays for a smaller request.</summary>
    TooLargeForCredit,

    /// <summary>Nothing is left to pay with.</summary>
    OutOfCredit,

    /// <summary>The prompt is longer than the model's context.</summary>
    ContextExceeded,

    /// <summary>The model is not to be had, with this key or at all.</summary>
    ModelGone,

    /// <summary>The content is not answered.</summary>
    ContentRefused,

    /// <summary>The provider has no capacity; no limit of ours was met.</summary>
    Overloaded,

    /// <summary>What the model wrote was not what it was held to; another try may do better.</summary>
    BadGeneration,

    /// <summary>The key may not be used.</summary>
    KeyRefused,

    /// <summary>The model does not take something that the request has.</summary>
    Unsupported,
}

/// <summary>A sign by which an error's meaning is recognised.</summary>
/// <param name="Meaning">What it means.</param>
/// <param name="Fits">True for the errors that mean it, by status and body.</param>
public sealed record ErrorSign(ErrorMeaning Meaning, Func<int, ErrorBody, bool> Fits)
{
    /// <summary>True for the statuses with which a provider says that a request will not do as it is.</summary>
    public static bool RejectsRequest(int status) => status is 400 or 403 or 422;
}
