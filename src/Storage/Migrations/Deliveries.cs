using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>Webhooks of batches, every try of a webhook, and what stood behind each Idempotency-Key.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_20_Deliveries")]
public sealed class Deliveries : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table batches add webhook_url text;
        alter table webhooks add batch_id uuid, add taken_at timestamptz, add tries_before int not null default 0;
        alter table webhooks alter column task_id drop not null;
        create index webhooks_batch on webhooks (batch_id) where batch_id is not null;
        create index webhooks_tenant on webhooks (tenant, id);
        create table webhook_tries (webhook_id uuid not null, number int not null, at timestamptz not null, milliseconds int not null, result text not null, primary key (webhook_id, number));
        create table request_keys (id uuid primary key, fingerprint text not null, at timestamptz not null);
        create index request_keys_at on request_keys (at);
        """);
}
