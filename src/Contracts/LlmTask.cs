using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmQueue.Contracts;

/// <summary>
/// One piece of work for a language model. Publish it from any service: it is durable once the broker has confirmed it, and it ends in
/// exactly one of <see cref="LlmTaskCompleted"/>, <see cref="LlmTaskFailed"/>, <see cref="LlmTaskRejected"/> or
/// <see cref="LlmTaskCanceled"/>.
/// </summary>
/// <remarks>
/// Values are checked by the queue, not by the serializer: a wrong one gets a rejection with a sentence, it is never lost.
/// A producer without .NET publishes the same fields as plain JSON (camelCase) to the exchange <c>LlmQueue.Contracts:LlmTask</c>.
/// </remarks>
public sealed record LlmTask
{
    /// <summary>
    /// The task's identity. A second message with the same id changes nothing, so set it to make publishing idempotent. Left out: the
    /// message's own id, else a new one.
    /// </summary>
    public Guid? Id { get; init; }

    /// <summary>The question, as one user message. Either this or <see cref="Messages"/>.</summary>
    public string? Prompt { get; init; }

    /// <summary>
    /// A conversation, oldest first, roles <c>system</c>, <c>user</c>, <c>assistant</c>. Either this or <see cref="Prompt"/>.
    /// </summary>
    public IReadOnlyList<LlmMessage>? Messages { get; init; }

    /// <summary>
    /// What is asked for: <c>analysis</c>, <c>summarization</c>, <c>creative</c>, <c>classification</c>, <c>reasoning</c>, <c>code</c>,
    /// <c>architecture</c>, … Left out: classified by the queue.
    /// </summary>
    public string? Kind { get; init; }

    /// <summary><c>low</c>, <c>medium</c> or <c>high</c>. Left out: classified by the queue.</summary>
    public string? Complexity { get; init; }

    /// <summary><c>interactive</c>, <c>normal</c> (the default) or <c>batch</c>.</summary>
    public string? Priority { get; init; }

    /// <summary>A model of the catalogue (<c>provider:model</c>) that alone may answer. Left out: routed.</summary>
    public string? Model { get; init; }

    /// <summary>
    /// The most tokens the answer may have. Left out: 1,024. Providers reserve it on arrival, so a tight value is a faster one.
    /// </summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>
    /// What else the provider is to be told, an object with the names of its API: <c>temperature</c>, <c>top_p</c>, <c>stop</c>,
    /// <c>seed</c>, <c>response_format</c>, <c>tools</c>, … It is passed on as it is; one that the queue cannot pass on refuses the task
    /// with its name. Left out: the provider's defaults.
    /// </summary>
    public JsonElement? Parameters { get; init; }

    /// <summary>
    /// After this moment an answer is of no use: the task ends with the reason <c>expired</c>. Left out: it waits as long as it must.
    /// </summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Never downgraded to save money.</summary>
    public bool HighStakes { get; init; }

    /// <summary>The caller's own class of work; carried through, and a key for per-class rules.</summary>
    public string? Agent { get; init; }

    /// <summary>
    /// Turns of one conversation share this key, within a tenant: a task is sent with the turns before it that were answered when it was
    /// handed in. Of more than ten, the older ones go as the decisions made in them. A task that brings <c>assistant</c> messages of its
    /// own is sent as it is.
    /// </summary>
    public string? Conversation { get; init; }

    /// <summary>The caller's own labels, returned with every event of the task.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>
    /// An http(s) address that is told when the task has ended, signed with the tenant's secret of LLMQUEUE_WEBHOOK_SECRETS;
    /// without one nobody is told.
    /// </summary>
    public string? WebhookUrl { get; init; }

    /// <summary>Whose work this is, for fair shares and budgets. Over HTTP it comes from the token. Left out: <c>default</c>.</summary>
    public string? Tenant { get; init; }

    /// <summary>A task of one user message: <c>await bus.Publish(LlmTask.Ask("Why is the sky blue?"))</c>.</summary>
    public static LlmTask Ask(string prompt, string? kind = null, string? priority = null) =>
        new() { Id = Guid.CreateVersion7(), Prompt = prompt, Kind = kind, Priority = priority };
}

/// <summary>Tokens as the provider counted them.</summary>
/// <param name="InputTokens">Tokens of the prompt, from the provider's usage; summed over all attempts that were charged.</param>
/// <param name="OutputTokens">Tokens of the answer, likewise.</param>
public sealed record LlmUsage(long InputTokens, long OutputTokens);
