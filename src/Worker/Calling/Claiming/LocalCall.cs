using System.Collections.Concurrent;
using System.Threading.Channels;
using LlmQueue.Storage.Tasks;
using MassTransit;

namespace LlmQueue.Worker.Calling.Claiming;

/// <summary>An attempt that this worker opened and whose call it kept.</summary>
/// <param name="Task">The row as the commit that opened it wrote it.</param>
/// <param name="Provider">Whose slot it has.</param>
/// <param name="Claim">What the call needs, where the claim was part of that commit; else the attempt is claimed now.</param>
/// <param name="IsDoubted">True when the commit was refused, and perhaps stands although its answer was lost (tried again it meets its own
/// row, or the room that it has taken itself), or when it came
/// back so late that others may have taken this worker for gone: the claim is asked for again by its moment.</param>
/// <param name="Cause">The message that led to it.</param>
public sealed record LocalCall(TaskRow Task, string Provider, ClaimedCall? Claim, bool IsDoubted, ConsumeContext Cause);
