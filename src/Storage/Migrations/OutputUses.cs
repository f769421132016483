using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>How long answers really are, by model and kind of task.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_09_OutputUses")]
public sealed class OutputUses : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table calibrations rename column model to id;
        create table output_uses (id text primary key, n double precision not null, t double precision not null, tt double precision not null);
        """);
}
