using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>
/// The turns of a conversation, in the order in which they were handed in; a task whose images are read is as open as any.
/// </summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_10_Conversations")]
public sealed class Conversations : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        create index tasks_conversation on tasks (tenant, conversation, submitted_at, id) where conversation is not null;
        drop index tasks_open;
        create index tasks_open on tasks (state, rung_at) where state in ('Submitted', 'Classifying', 'Extracting', 'WaitingForCapacity', 'WaitingForBudget', 'WaitingToRetry', 'Calling', 'Critiquing', 'Revising');
        """);
}
