using System.Text;
using LlmQueue.Catalogue;
using LlmQueue.Limits;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Budgets;
using LlmQueue.Storage.Files;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Leases;
using LlmQueue.Storage.Ledger;
using LlmQueue.Storage.Outbox;
using LlmQueue.Storage.Rankings;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Storage.Webhooks;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace LlmQueue.Storage;

/// <summary>
/// The EF Core model of the database that both hosts share. Reads go through it; the hot writes go through Commits, which takes table and
/// column names from this model.
/// </summary>
public sealed class QueueDb(DbContextOptions<QueueDb> options) : DbContext(options)
{
    public DbSet<TaskRow> Tasks => Set<TaskRow>();
    public DbSet<AttemptRow> Attempts => Set<AttemptRow>();
    public DbSet<HistoryRow> History => Set<HistoryRow>();
    public DbSet<PayloadRow> Payloads => Set<PayloadRow>();
    public DbSet<OutboxRow> OutboxMessages => Set<OutboxRow>();
    public DbSet<WorkerRow> Workers => Set<WorkerRow>();
    public DbSet<TokenBucket> Buckets => Set<TokenBucket>();
    public DbSet<Budget> Budgets => Set<Budget>();
    public DbSet<BudgetLimitRow> BudgetLimits => Set<BudgetLimitRow>();
    public DbSet<KeyRow> Keys => Set<KeyRow>();
    public DbSet<TenantShare> Tenants => Set<TenantShare>();
    public DbSet<WaitQueue> Lines => Set<WaitQueue>();
    public DbSet<RankingRow> Rankings => Set<RankingRow>();
    public DbSet<FeedbackRow> Feedback => Set<FeedbackRow>();
    public DbSet<SummaryRow> Summaries => Set<SummaryRow>();
    public DbSet<WebhookRow> Webhooks => Set<WebhookRow>();
    public DbSet<WebhookTryRow> WebhookTries => Set<WebhookTryRow>();
    public DbSet<RequestKeyRow> RequestKeys => Set<RequestKeyRow>();
    public DbSet<FileRow> Files => Set<FileRow>();
    public DbSet<BatchRow> Batches => Set<BatchRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<TaskRow>(e =>
        {
            e.ToTable("tasks");
            e.HasKey(r => r.CorrelationId);
            e.Property(r => r.CorrelationId).HasColumnName("id");
            e.Ignore(r => r.CallOutputTokens);
            e.Property(r => r.CommandSentAt).HasColumnName("rung_at");
            e.ComplexProperty(r => r.Route, route =>
            {
                route.Property(r => r.Rule).HasColumnName("route");
                route.Property(r => r.Chain).HasConversion(chain => chain!.ToString(), text => ModelChain.Read(text));
                route.Property(r => r.LoadBalanced).HasColumnName("spread");
            });
            e.ComplexProperty(r => r.Pass, pass =>
            {
                pass.Property(p => p.Name).HasColumnName("pass");
                pass.Property(p => p.OutputTokens).HasColumnName("pass_output_tokens");
            });
            e.ComplexProperty(r => r.Reservation, reserved =>
            {
                reserved.Property(r => r.Tokens).HasColumnName("reserved_tokens");
                reserved.Property(r => r.Usd).HasColumnName("reserved_usd");
                reserved.Property(r => r.Budgets).HasColumnName("reserved_budgets")
                    .HasConversion(ids => ids!.ToString(), text => IdList.Read(text));
                reserved.Property(r => r.Lead).HasColumnName("packed_with");
            });
            e.ComplexProperty(r => r.Wait, wait =>
            {
                wait.Property(w => w.For).HasColumnName("waiting_for");
                wait.Property(w => w.Reason).HasColumnName("wait_reason");
                wait.Property(w => w.Since).HasColumnName("waiting_since");
                wait.Property(w => w.QueueId).HasColumnName("line");
                wait.Property(w => w.QueueTokens).HasColumnName("line_tokens");
            });
        });
        modelBuilder.Entity<SummaryRow>(e =>
        {
            e.ToTable("summaries");
            e.HasKey(r => r.CorrelationId);
            e.Property(r => r.CorrelationId).HasColumnName("id");
            e.Property(r => r.CommandSentAt).HasColumnName("rung_at");
        });
        modelBuilder.Entity<AttemptRow>(e => { e.ToTable("attempts"); e.HasKey(r => new { r.TaskId, r.Number }); });
        modelBuilder.Entity<HistoryRow>(e => { e.ToTable("history"); e.HasKey(r => new { r.SubjectId, r.Version, r.Ordinal }); });
        modelBuilder.Entity<PayloadRow>(e => { e.ToTable("payloads"); e.HasKey(r => new { r.SubjectId, r.Part }); });
        modelBuilder.Entity<OutboxRow>(e => { e.ToTable("announcements"); e.HasKey(r => r.Id); });
        modelBuilder.Entity<WorkerRow>(e => { e.ToTable("workers"); e.HasKey(r => r.Id); });
        modelBuilder.Entity<TokenBucket>(e =>
        {
            e.ToTable("buckets");
            e.HasKey(r => r.Id);
            e.Property(r => r.DisabledReason).HasConversion(reason => reason!.ToString(), text => DisabledReason.Read(text));
        });
        modelBuilder.Entity<Budget>(e => { e.ToTable("budgets"); e.HasKey(r => r.Id); e.Ignore(r => r.InFlightUsd); });
        modelBuilder.Entity<BudgetLimitRow>(e => { e.ToTable("budget_limits"); e.HasKey(r => new { r.Scope, r.Period }); });
        modelBuilder.Entity<KeyRow>(e => { e.ToTable("keys"); e.HasKey(r => r.Alias); });
        modelBuilder.Entity<TenantShare>(e => { e.ToTable("tenants"); e.HasKey(r => r.Name); });
        modelBuilder.Entity<WaitQueue>(e =>
        {
            e.ToTable("lines");
            e.HasKey(r => r.Id);
            e.Ignore(r => r.BucketIds);
            e.Property(r => r.Buckets).HasConversion(ids => ids.ToString(), text => IdList.Read(text));
            e.Property(r => r.LoadBalanced).HasColumnName("spread");
        });

        modelBuilder.Entity<WebhookRow>(e => { e.ToTable("webhooks"); e.HasKey(r => r.Id); e.Ignore(r => r.MessageId); });
        modelBuilder.Entity<WebhookTryRow>(e => { e.ToTable("webhook_tries"); e.HasKey(r => new { r.WebhookId, r.Number }); });
        modelBuilder.Entity<RequestKeyRow>(e => { e.ToTable("request_keys"); e.HasKey(r => r.Id); });
        modelBuilder.Entity<FileRow>(e => { e.ToTable("files"); e.HasKey(r => r.Id); });
        modelBuilder.Entity<BatchRow>(e => { e.ToTable("batches"); e.HasKey(r => r.Id); });
        modelBuilder.Entity<RankingRow>(e => { e.ToTable("rankings"); e.HasKey(r => new { r.Subject, r.Kind, r.Model }); });
        modelBuilder.Entity<FeedbackRow>(e => { e.ToTable("feedback"); e.HasKey(r => r.TaskId); });

        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(PropertiesOf))
        {
            if (((IConventionProperty)property).GetColumnNameConfigurationSource() != ConfigurationSource.Explicit)
                property.SetColumnName(SnakeCase(property.Name));
            property.ValueGenerated = ValueGenerated.Never;
        }
    }

    /// <summary>The properties of a type and of its value objects.</summary>
    private static IEnumerable<IMutableProperty> PropertiesOf(IMutableTypeBase type) =>
        type.GetProperties().Concat(type.GetComplexProperties().SelectMany(value => PropertiesOf(value.ComplexType)));

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 8);
        foreach (var c in name)
        {
            if (char.IsUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
