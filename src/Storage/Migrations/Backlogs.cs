using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>
/// What is looked for often is found without walking over a million waiting rows, and what is dead is cleared before it is a
/// fifth of a large table.
/// </summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_22_Backlogs")]
public sealed class Backlogs : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        -- The Rescuer's look for grants that nobody has taken up, every five seconds.
        create index tasks_granted on tasks (rung_at) where state = 'WaitingForCapacity' and granted_at is not null;
        -- Who is next when money comes back.
        create index tasks_money on tasks (line, priority, submitted_at, id) where state = 'WaitingForBudget';
        -- What the Pruner removes, oldest first.
        create index tasks_ended on tasks (ended_at) where ended_at is not null;

        alter table tasks set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
        alter table attempts set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
        alter table announcements set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
        """);
}
