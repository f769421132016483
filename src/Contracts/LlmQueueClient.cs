using System.Net.Http.Json;

namespace LlmQueue.Contracts;

/// <summary>Hands tasks to the queue over HTTP from a .NET service that has no bus: <c>await queue.Enqueue(LlmTask.Ask("…"))</c>.</summary>
/// <param name="http">A client whose base address is the queue's API, with its bearer token if there is one.</param>
public sealed class LlmQueueClient(HttpClient http)
{
    /// <summary>Returns once the task is durable.</summary>
    /// <returns>The task's id.</returns>
    /// <exception cref="InvalidOperationException">The queue refused the task; the message is its sentence.</exception>
    public async Task<Guid> Enqueue(LlmTask task, CancellationToken cancellationToken = default)
    {
        using var response = await http.PostAsJsonAsync("/v1/tasks", task, cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw new InvalidOperationException($"The queue answered {(int)response.StatusCode}: "
                + $"{await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false)}");
        var accepted = await response.Content.ReadFromJsonAsync<Accepted>(cancellationToken).ConfigureAwait(false);
        return accepted?.Id ?? throw new InvalidOperationException("The queue accepted the task but its answer has no id.");
    }

    private sealed record Accepted(Guid Id);
}
