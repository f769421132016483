using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>
/// Each bucket's circuit breaker, in its row so that every worker sees it; and of a task's faults, which were its
/// provider's. See BreakerRule.
/// </summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_04_ProviderBreakers")]
public sealed class ProviderBreakers : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table buckets
            add faults_in_a_row int not null default 0, add answered_at timestamptz, add broken_since timestamptz, add broken_reason text,
            add probe_at timestamptz, add failed_probes int not null default 0, add ramp_until timestamptz, add ramp_left int not null default 0;
        alter table tasks add outages int not null default 0;
        """);
}
