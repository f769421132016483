using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>
/// What a task was found to be and by whom, questions that share a call, and what small models have said of prompts, for all workers.
/// </summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_03_Classifications")]
public sealed class Classifications : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table tasks add turns int not null default 0, add classified_by text, add confidence double precision, add needs_context boolean, add packed_with uuid;
        alter table attempts add pack uuid;
        create index attempts_pack on attempts (pack) where pack is not null and ended_at is null;
        create table classifications (
            prompt_hash text primary key, kind text not null, complexity text not null, confidence double precision not null, needs_context boolean, category text, alternative text, at timestamptz not null);
        create index classifications_at on classifications (at);
        """);
}
