using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>The pass a task is at, and what a former one gave. The Rescuer looks over the new states as well.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_05_SecondPass")]
public sealed class SecondPass : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table tasks add pass text, add pass_output_tokens int, add drafted_by text, add critic text, add draft_score double precision;
        drop index tasks_open;
        create index tasks_open on tasks (state, rung_at) where state in ('Submitted', 'Classifying', 'WaitingForCapacity', 'WaitingForBudget', 'WaitingToRetry', 'Calling', 'Critiquing', 'Revising');
        """);
}
