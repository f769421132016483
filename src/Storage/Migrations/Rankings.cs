using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>What runs have taught about each model, by whose work and of which kind; and what people said of answers.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_06_Rankings")]
public sealed class Rankings : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        create table rankings (
            subject text not null, kind text not null, model text not null, runs bigint not null, as_of_run bigint not null,
            weight double precision not null, successes double precision not null, speed double precision not null, seconds double precision not null,
            quality double precision not null, quality_weight double precision not null, seen_at timestamptz not null,
            primary key (subject, kind, model)
        ) with (fillfactor = 50);
        create table feedback (task_id uuid primary key, tenant text not null, model text not null, score double precision not null, comment text, at timestamptz not null);
        """);
}
