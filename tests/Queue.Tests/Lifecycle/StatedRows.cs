using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>Tasks put into a state as their history would have left them there: attempt, reservation, line and ledger agree.</summary>
internal static class StatedRows
{
    public const int Version = 5;

    /// <param name="queue">A queue of groq:first and groq:second; whoever stands in line does so before the second,
    /// which is closed.</param>
    /// <param name="state">The state.</param>
    /// <param name="granted">For WaitingForCapacity: room is booked and only the bell is still to be answered.</param>
    public static async Task<TaskRow> Insert(QueueUnderTest queue, string state, bool granted = false)
    {
        var model = state == TaskStates.WaitingForCapacity && !granted ? "second" : "first";
        var bucketId = $"groq/org-1/{model}";
        var now = queue.Services.GetRequiredService<TimeProvider>().GetUtcNow().UtcDateTime;
        await using var db = await queue.Services.GetRequiredService<IDbContextFactory<QueueDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(TestContext.Current.CancellationToken);
        // In the order in which everybody locks them.
        var bucket = await db.Buckets.FromSqlRaw("select * from buckets where id = {0} for update", bucketId)
            .SingleAsync(TestContext.Current.CancellationToken);
        var budget = await db.Budgets.FromSqlRaw("select * from budgets order by id limit 1 for update")
            .SingleAsync(TestContext.Current.CancellationToken);
        var row = new TaskRow
        {
            CorrelationId = Guid.CreateVersion7(), Version = Version, State = state, Kind = "analysis", Complexity = "low",
            PromptTokens = 20, PromptUnits = 16, MaxOutputTokens = 50, Chain = $"groq:{model}", Route = "any/any",
            Attempt = 1, SubmittedAt = now, UpdatedAt = now, RungAt = now,
        };
        var line = WaitQueue.Of([bucketId], spread: false);
        var called = TaskStates.IsCalled(state);
        var reserved = called || granted;
        switch (state)
        {
            case TaskStates.Submitted:
                row.Attempt = 0;
                break;
            case { } when called:
                db.Attempts.Add(new AttemptRow
                {
                    TaskId = row.CorrelationId, Number = 1, Model = "groq:first", Bucket = bucketId, KeyAlias = "groq-1", CreatedAt = now,
                    Worker = Guid.NewGuid(), StartedAt = now,
                });
                break;
            case TaskStates.WaitingForCapacity:
                (row.WaitingFor, row.WaitReason, row.WaitingSince, row.Line) = ("capacity", "no room", now, line.Id);
                if (!await db.Lines.AnyAsync(l => l.Id == line.Id, TestContext.Current.CancellationToken))
                    db.Lines.Add(line);
                if (granted)
                    row.GrantedAt = now;
                else
                    (bucket.Waiting, bucket.ClosedUntil, bucket.ClosedReason) = (bucket.Waiting + 1, now.AddDays(1), "closed by the test");
                break;
            case TaskStates.WaitingForBudget:
                (row.WaitingFor, row.WaitReason, row.WaitingSince, row.Line, row.DueAt, row.ReservedUsd) = ("budget", "no money", now,
                    budget.Id, budget.PeriodEnd, null);
                // Rung in the future, so that the Pacer lets it stand for as long as the test looks at it.
                row.RungAt = now.AddDays(1);
                budget.Waiting++;
                break;
            case TaskStates.WaitingToRetry:
                (row.WaitingFor, row.WaitReason, row.WaitingSince, row.DueAt) = ("retry", "a fault", now, now.AddDays(1));
                break;
            default:
                row.EndedAt = now;
                break;
        }

        if (state is TaskStates.Extracting)
            row.Pass = TaskPasses.Extraction;
        if (state is TaskStates.Critiquing or TaskStates.Revising)
        {
            (row.HighStakes, row.Pass, row.DraftedBy) = (true, state == TaskStates.Critiquing ? TaskPasses.Critique : TaskPasses.Revision,
                "groq:second");
            if (state == TaskStates.Revising)
                (row.Critic, row.DraftScore) = ("groq:second", 0.4);
            db.Payloads.Add(new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Draft, Content = "A draft" });
            db.Payloads.Add(new PayloadRow
            {
                SubjectId = row.CorrelationId, Part = PayloadRow.PromptOf(row.Pass),
                Content = """[{"role":"user","content":"Is it right?"}]""",
            });
        }

        if (reserved)
        {
            (row.Bucket, row.Model, row.ReservedTokens, row.ReservedUsd, row.ReservedBudgets) = (bucketId, "groq:first", 70, 0.00007m,
                budget.Id);
            BucketRule.Reserve(bucket, new ResourceDemand(1, 70));
            budget.ReservedUsd += 0.00007m;
        }

        db.Tasks.Add(row);
        db.Payloads.Add(
            new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Prompt, Content = """[{"role":"user","content":"Why?"}]""" });
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        await transaction.CommitAsync(TestContext.Current.CancellationToken);
        return row;
    }
}
