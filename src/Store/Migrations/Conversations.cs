using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Store.Migrations;

/// <summary>The turns of a conversation, in the order in which they were handed in.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_05b_Conversations")]
public sealed class Conversations : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        create index tasks_conversation on tasks (tenant, conversation, submitted_at, id) where conversation is not null;
        """);
}
