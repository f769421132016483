using LlmQueue.OpenAi;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;

namespace LlmQueue.Storage.Batches;

/// <summary>The result of one line of a batch.</summary>
public sealed class BatchResult
{
    public int Line { get; init; }
    public required string CustomId { get; init; }
    public Guid TaskId { get; init; }
    public required string State { get; init; }
    public string? Model { get; init; }
    public long InputTokens { get; init; }
    public long OutputTokens { get; init; }
    public string? Reason { get; init; }
    public DateTime? EndedAt { get; init; }
    public string? Answer { get; init; }
    /// <summary>See <see cref="PayloadRow.Ending"/>.</summary>
    public string? Ending { get; init; }
    /// <summary>See <see cref="PayloadRow.Error"/>.</summary>
    public string? Error { get; init; }

    /// <summary>The answer as OpenAI's clients read it.</summary>
    public ChatAnswer ToChatAnswer() =>
        ChatAnswer.Of(TaskId, EndedAt, Model, Answer, Ending, new ChatUsage(InputTokens, OutputTokens, InputTokens + OutputTokens));
}

/// <summary>Reads a batch's results in the order of its lines, a page at a time.</summary>
public sealed class BatchResults(IDbContextFactory<QueueDb> contexts)
{
    private const int Page = 200;

    public async IAsyncEnumerable<BatchResult> Read(
        Guid batch, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = 0; ;)
        {
            var page = await ReadPage(batch, after, cancellationToken);
            foreach (var result in page)
                yield return result;
            if (page.Count < Page)
                yield break;
            after = page[^1].Line;
        }
    }

    private async Task<List<BatchResult>> ReadPage(Guid batch, int after, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.Database.SqlQuery<BatchResult>($"""
            select t.batch_line as "Line", t.custom_id as "CustomId", t.id as "TaskId", t.state as "State", t.answered_model as "Model", t.input_tokens as "InputTokens",
                t.output_tokens as "OutputTokens", t.failure_reason as "Reason", t.ended_at as "EndedAt", a.content as "Answer", f.content as "Ending", e.content as "Error"
            from tasks t
            left join payloads a on a.subject_id = t.id and a.part = {PayloadRow.Answer}
            left join payloads f on f.subject_id = t.id and f.part = {PayloadRow.Ending}
            left join payloads e on e.subject_id = t.id and e.part = {PayloadRow.Error}
            where t.batch_id = {batch} and t.batch_line > {after} order by t.batch_line limit {Page}
            """).ToListAsync(cancellationToken);
    }
}
