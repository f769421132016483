using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>
/// How many tokens stand in line for each bucket, by priority class, and what each task counts for there; see Backlog and WaitRule.
/// </summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_08_WaitingTokens")]
public sealed class WaitingTokens : Migration
{
    // What waits on the day of the change counts for nothing, and each of them for 0 when it leaves.
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        alter table buckets
            add waiting_tokens_interactive double precision not null default 0, add waiting_tokens_normal double precision not null default 0, add waiting_tokens_batch double precision not null default 0;
        alter table tasks add line_tokens double precision not null default 0;
        """);
}
