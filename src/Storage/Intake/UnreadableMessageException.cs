using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Storage.Intake;

/// <summary>
/// A message that can never be read as what its queue is for: it goes to the error queue at once, with this sentence as the reason.
/// </summary>
public sealed class UnreadableMessageException(string message) : Exception(message);
