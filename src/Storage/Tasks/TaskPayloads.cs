using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Tasks;

/// <summary>Reads the payloads of a task: its prompt and what its passes gave. They are written once and never change.</summary>
public class TaskPayloads(IDbContextFactory<QueueDb> contexts)
{
    /// <summary>Null when there is no such part.</summary>
    public virtual async Task<string?> Read(Guid taskId, string part)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.Payloads.AsNoTracking().Where(p => p.SubjectId == taskId && p.Part == part)
            .Select(p => p.Content).FirstOrDefaultAsync();
    }

    /// <summary>The question as it was put: as it came, or as something was made of it.</summary>
    public virtual async Task<string> ReadQuestion(Guid taskId)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var composed = PayloadRow.PromptOf(TaskPasses.Draft);
        var parts = await db.Payloads.AsNoTracking()
            .Where(p => p.SubjectId == taskId && (p.Part == composed || p.Part == PayloadRow.Prompt))
            .Select(p => new { p.Part, p.Content }).ToListAsync();
        return (parts.Find(p => p.Part == composed) ?? parts[0]).Content;
    }

    /// <summary>
    /// The turns of its conversation that were answered before it came, the oldest first; of more than <paramref name="most"/> the newest.
    /// </summary>
    public virtual async Task<IReadOnlyList<(string Prompt, string Answer)>> ReadEarlierTurns(TaskRow task, int most)
    {
        await using var db = await contexts.CreateDbContextAsync();
        var answered = await (from t in db.Tasks.AsNoTracking()
                              where t.Tenant == task.Tenant && t.Conversation == task.Conversation && t.State == TaskStates.Completed
                                  && (t.SubmittedAt < task.SubmittedAt
                                      || (t.SubmittedAt == task.SubmittedAt && t.CorrelationId < task.CorrelationId))
                              join prompt in db.Payloads on new { Id = t.CorrelationId, Part = PayloadRow.Prompt }
                                  equals new { Id = prompt.SubjectId, prompt.Part }
                              join answer in db.Payloads on new { Id = t.CorrelationId, Part = PayloadRow.Answer }
                                  equals new { Id = answer.SubjectId, answer.Part }
                              orderby t.SubmittedAt descending, t.CorrelationId descending
                              select new { Prompt = prompt.Content, Answer = answer.Content }).Take(most).ToListAsync();
        answered.Reverse();
        return answered.ConvertAll(turn => (turn.Prompt, turn.Answer));
    }
}
