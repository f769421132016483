using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Store.Migrations;

/// <summary>What a bucket learns of limits that no header tells, and when its refill begins.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_02_RequestProofs")]
public sealed class RequestProofs : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table buckets
            add column requests_drip_from timestamptz, add column tokens_drip_from timestamptz, add column claimed_requests_per_minute double precision, add column requests_known_until timestamptz,
            add column proven_requests double precision not null default 0, add column mark_requests double precision not null default 0, add column mark_at timestamptz;
        """);
}
