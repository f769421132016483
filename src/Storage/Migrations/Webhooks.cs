using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>Calls to tenants' addresses, and the addresses that want none any more.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_17_Webhooks")]
public sealed class Webhooks : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        create table webhooks (
            id uuid primary key, task_id uuid not null, tenant text not null, url text not null, type text not null,
            created_at timestamptz not null, due_at timestamptz not null, attempts int not null, last_result text, done_at timestamptz, delivered boolean not null
        );
        create index webhooks_due on webhooks (due_at) where done_at is null;
        create index webhooks_task on webhooks (task_id);
        -- An address that answered 410: it is not called again until its tenant names it in a new task after a day.
        create table gone_addresses (tenant text not null, url text not null, at timestamptz not null, primary key (tenant, url));
        """);
}
