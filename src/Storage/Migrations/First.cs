using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmQueue.Storage.Migrations;

/// <summary>The first shape of the store. Written by hand; a test holds it against the model.</summary>
[DbContext(typeof(QueueDb))]
[Migration("20261121_01_First")]
public sealed class First : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql("""
        create table tasks (
            id uuid primary key, version int not null, state text not null,
            tenant text not null, title text, kind text, complexity text, priority smallint not null, high_stakes boolean not null,
            agent text, conversation text, requested_model text, max_output_tokens int not null, deadline timestamptz, metadata text, webhook_url text,
            submitted_at timestamptz not null,
            summary_id uuid, summary_role text, page_number int, part_number int,
            route text, chain text, spread boolean not null, prompt_tokens int not null, prompt_units double precision not null,
            attempt int not null, faults int not null, model text, bucket text, why text,
            reserved_tokens bigint not null, reserved_usd numeric(18,9), reserved_budgets text,
            waiting_for text, wait_reason text, waiting_since timestamptz, expected_at timestamptz, due_at timestamptz,
            line text, start_tag double precision not null, granted_at timestamptz, rung_at timestamptz not null,
            answered_model text, input_tokens bigint not null, output_tokens bigint not null, cost_usd numeric(18,9) not null, cost_unknown boolean not null,
            failure_reason text, updated_at timestamptz not null, ended_at timestamptz
        ) with (fillfactor = 70);
        -- The lines: one index range a line, in the order in which its tasks are served.
        create index tasks_line on tasks (line, priority, start_tag, id) where state = 'WaitingForCapacity' and granted_at is null;
        create index tasks_due on tasks (due_at) where state in ('WaitingToRetry', 'WaitingForBudget');
        -- What the Rescuer looks over: only tasks that have not ended, by when a command was last sent for them.
        create index tasks_open on tasks (state, rung_at) where state in ('Submitted', 'Classifying', 'WaitingForCapacity', 'WaitingForBudget', 'WaitingToRetry', 'Calling');
        create index tasks_deadline on tasks (deadline) where deadline is not null and ended_at is null;
        create index tasks_summary on tasks (summary_id, summary_role, page_number, part_number) where summary_id is not null;
        create index tasks_tenant on tasks (tenant, id);
        create index tasks_state on tasks (state, id);

        create table attempts (
            task_id uuid not null, number int not null, model text not null, bucket text not null, key_alias text not null, why text not null,
            reserved_tokens bigint not null, reserved_usd numeric(18,9), created_at timestamptz not null,
            worker uuid, started_at timestamptz, ended_at timestamptz, outcome text, detail text, model_version text, prompt_hash text, output_hash text,
            input_tokens bigint, output_tokens bigint, cost_usd numeric(18,9), latency_ms int,
            primary key (task_id, number)
        ) with (fillfactor = 80);
        create index attempts_claimed on attempts (worker) where ended_at is null and worker is not null;

        create table history (
            subject_id uuid not null, version int not null, ordinal smallint not null, at timestamptz not null, entry text not null, state text not null, reason text,
            primary key (subject_id, version, ordinal)
        );
        create table payloads (subject_id uuid not null, part text not null, content text not null, primary key (subject_id, part));
        create table announcements (id uuid primary key, type text not null, body text not null, at timestamptz not null);
        create table workers (id uuid primary key, name text not null, started_at timestamptz not null, seen_at timestamptz not null);

        create table buckets (
            id text primary key, provider text not null, organisation text not null, model text not null,
            requests_per_minute double precision, requests_per_day double precision, tokens_per_minute double precision, tokens_per_day double precision, catalogue_limits text not null,
            as_of timestamptz not null,
            level_requests_minute double precision not null, level_requests_day double precision not null, level_tokens_minute double precision not null, level_tokens_day double precision not null,
            closed_until timestamptz, closed_reason text, disabled_reason text, waiting int not null,
            reserved_requests bigint not null, settled_requests bigint not null, released_requests bigint not null,
            reserved_tokens bigint not null, settled_tokens bigint not null, released_tokens bigint not null, throttled bigint not null
        ) with (fillfactor = 50);
        create table budgets (
            id text primary key, scope text not null, period_start timestamptz not null, period_end timestamptz not null, limit_usd numeric(18,9),
            spent_usd numeric(18,9) not null, waiting int not null, reserved_usd numeric(18,9) not null, settled_usd numeric(18,9) not null, released_usd numeric(18,9) not null
        ) with (fillfactor = 50);
        create table budget_limits (scope text not null, period text not null, limit_usd numeric(18,9), environment_usd numeric(18,9), primary key (scope, period));
        create table keys (
            alias text primary key, provider text not null, organisation text not null, refused_reason text, refused_at timestamptz,
            calls bigint not null, throttled bigint not null, faults bigint not null, input_tokens bigint not null, output_tokens bigint not null, last_used_at timestamptz
        ) with (fillfactor = 50);
        create table tenants (name text primary key, weight double precision not null, virtual_finish double precision not null) with (fillfactor = 50);

        -- Sums of a model's counted tokens over estimated units, for a least-squares fit.
        create table calibrations (model text primary key, n double precision not null, u double precision not null, t double precision not null, uu double precision not null, ut double precision not null);
        create table lines (id text primary key, buckets text not null, spread boolean not null);
        -- The present of the fair order, moved by the capacity scheduler.
        insert into tenants (name, weight, virtual_finish) values ('', 1, 0);

        create table summaries (
            id uuid primary key, version int not null, state text not null, tenant text not null, question text, model text, priority smallint not null, deadline timestamptz, metadata text,
            pages int not null, stage int not null, open_tasks int not null, stage_tasks int not null,
            failure_reason text, submitted_at timestamptz not null, updated_at timestamptz not null, rung_at timestamptz not null, ended_at timestamptz
        );
        create index summaries_open on summaries (rung_at) where ended_at is null;
        """);
}
