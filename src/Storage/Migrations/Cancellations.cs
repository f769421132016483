using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>
/// Wishes to cancel that are not met yet; see Intake.Cancellations. Beside the tasks and not in them: a transition on its way
/// would write over it.
/// </summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_24_Cancellations")]
public sealed class Cancellations : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        create table cancellations (subject_id uuid primary key, asked_at timestamptz not null default now());
        """);
}
