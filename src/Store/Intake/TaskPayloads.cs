using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Store.Intake;

/// <summary>Reads what lies beside a task's row: its prompt and what its passes gave. They are written once and never change.</summary>
public class TaskPayloads(IDbContextFactory<QueueDb> contexts)
{
    /// <summary>Null when there is no such part.</summary>
    public virtual async Task<string?> Read(Guid taskId, string part)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return await db.Payloads.AsNoTracking().Where(p => p.SubjectId == taskId && p.Part == part).Select(p => p.Content).FirstOrDefaultAsync();
    }
}
