using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>An event that cannot be published is tried some times, by itself, and then kept aside with the reason.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261127_01_OutboxTries")]
public sealed class OutboxTries : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table announcements add tries int not null default 0, add parked_reason text;
        """);
}
