namespace LlmQueue.Api.Wire;

/// <summary>The answer to a submitted or canceled task.</summary>
public sealed record Accepted(Guid Id, string State, AcceptedLinks Links)
{
    public static Accepted Task(Guid id, string state) => new(id, state, new AcceptedLinks($"/v1/tasks/{id}"));

    public static Accepted Summary(Guid id, string state) => new(id, state, new AcceptedLinks($"/v1/summaries/{id}"));
}

/// <param name="Self">Where it can be looked at.</param>
public sealed record AcceptedLinks(string Self);
