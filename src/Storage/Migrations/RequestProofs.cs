using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>What a bucket has been seen to take, and since when its full windows drip; see RequestProof and BucketRule.Arrived.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_02_RequestProofs")]
public sealed class RequestProofs : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table buckets
            add requests_drip_from timestamptz, add tokens_drip_from timestamptz,
            add claimed_requests_per_minute double precision, add requests_known_until timestamptz,
            add proven_requests double precision not null default 0, add mark_requests double precision not null default 0, add mark_at timestamptz;
        """);
}
