using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Storage.Intake;

/// <summary>The message can never be processed: it goes to the error queue at once, with this sentence as the reason.</summary>
public sealed class UnreadableMessageException(string message) : Exception(message);
