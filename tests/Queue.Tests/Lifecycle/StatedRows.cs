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
            PromptTokens = 20, PromptUnits = 16, MaxOutputTokens = 50, Attempt = 1, SubmittedAt = now, UpdatedAt = now, CommandSentAt = now,
            Route = new TaskRoute { Rule = "any/any", Chain = ModelChain.Read($"groq:{model}") },
        };
        var line = WaitQueue.Of([bucketId], loadBalanced: false);
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
                row.Wait = new TaskWait { For = "capacity", Reason = "no room", Since = now, QueueId = line.Id };
                if (!await db.Lines.AnyAsync(l => l.Id == line.Id, TestContext.Current.CancellationToken))
                    db.Lines.Add(line);
                if (granted)
                    row.Wait = row.Wait with { GrantedAt = now };
                else
                    (bucket.Waiting, bucket.ClosedUntil, bucket.ClosedReason) = (bucket.Waiting + 1, now.AddDays(1), "closed by the test");
                break;
            case TaskStates.WaitingForBudget:
                row.Wait = new TaskWait
                {
                    For = "budget", Reason = "no money", Since = now, QueueId = budget.Id, DueAt = budget.PeriodEnd,
                };
                // Rung in the future, so that the Pacer lets it stand for as long as the test looks at it.
                row.CommandSentAt = now.AddDays(1);
                budget.Waiting++;
                break;
            case TaskStates.WaitingToRetry:
                row.Wait = new TaskWait { For = "retry", Reason = "a fault", Since = now, DueAt = now.AddDays(1) };
                break;
            default:
                row.EndedAt = now;
                break;
        }

        if (state is TaskStates.Extracting)
            row.Pass = new TaskPass { Name = TaskPasses.Extraction };
        if (state is TaskStates.Critiquing or TaskStates.Revising)
        {
            row.HighStakes = true;
            row.Pass = state == TaskStates.Critiquing
                ? new TaskPass { Name = TaskPasses.Critique, DraftedBy = "groq:second" }
                : new TaskPass { Name = TaskPasses.Revision, DraftedBy = "groq:second", Critic = "groq:second", DraftScore = 0.4 };
            db.Payloads.Add(new PayloadRow { SubjectId = row.CorrelationId, Part = PayloadRow.Draft, Content = "A draft" });
            db.Payloads.Add(new PayloadRow
            {
                SubjectId = row.CorrelationId, Part = PayloadRow.PromptOf(row.Pass.Name),
                Content = """[{"role":"user","content":"Is it right?"}]""",
            });
        }

        if (reserved)
        {
            row.Model = "groq:first";
            row.Reservation = new TaskReservation { Bucket = bucketId, Tokens = 70, Usd = 0.00007m, Budgets = IdList.Of([budget.Id]) };
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
