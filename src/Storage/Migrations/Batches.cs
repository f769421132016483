using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>Files and batches, and which line of which batch a task is.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_07_Batches")]
public sealed class Batches : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table tasks add batch_id uuid, add batch_line int, add custom_id text;
        -- A line is one task, however often its writing is tried; and a batch's results are read in the order of its lines.
        create unique index tasks_batch_line on tasks (batch_id, batch_line) where batch_id is not null;
        -- How many of a batch are in which state, and per model who has been fed and who not (rung_at is infinity).
        create index tasks_batch on tasks (batch_id, state, coalesce(requested_model, ''), rung_at, batch_line) where batch_id is not null;

        create table files (
            id uuid primary key, tenant text not null, filename text not null, purpose text not null, bytes bigint not null, status text not null,
            created_at timestamptz not null, expires_at timestamptz
        );
        create index files_tenant on files (tenant, created_at, id);
        create index files_expiry on files (expires_at) where expires_at is not null;
        create table file_chunks (file_id uuid not null, ordinal int not null, content bytea not null, primary key (file_id, ordinal));
        -- Not compressed: a chunk is read from its middle, and compressing costs more than the disk.
        alter table file_chunks alter column content set storage external;

        create table batches (
            id uuid primary key, tenant text not null, status text not null, endpoint text not null, input_file_id uuid not null, completion_window text not null,
            metadata text, output_seconds bigint, position bigint not null, lines int not null,
            total int not null, completed int not null, failed int not null, input_tokens bigint not null, output_tokens bigint not null,
            errors text, output_file_id uuid, error_file_id uuid,
            created_at timestamptz not null, expires_at timestamptz not null, in_progress_at timestamptz, finalizing_at timestamptz, completed_at timestamptz,
            failed_at timestamptz, expired_at timestamptz, cancelling_at timestamptz, cancelled_at timestamptz
        );
        create index batches_open on batches (created_at) where status in ('validating', 'in_progress', 'finalizing', 'cancelling');
        create index batches_tenant on batches (tenant, created_at, id);
        """);
}
