using System.Text.Json;
using LlmQueue.Storage;
using LlmQueue.Storage.Tasks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmQueue.Tests.Api;

public sealed class FeedbackApiTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    private static readonly DateTime Noon = new(2026, 11, 21, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public async Task A_score_counts_once_for_its_model_however_often_it_is_said_and_the_later_word_stands()
    {
        var (task, other) = (Answered("scored"), Answered("scored"));
        await api.Write(task, other);
        for (var i = 0; i < 3; i++)
            await api.Anna.PostText($"/v1/tasks/{task.CorrelationId}/feedback", """{ "score": 0.25, "comment": "wrong" }""").Body(200);
        Assert.Equal((0.25, 1.0), await Quality("agent:anna/scored"));
        await Task.WhenAll(Enumerable.Range(0, 5)
            .Select(_ => api.Anna.PostText($"/v1/tasks/{other.CorrelationId}/feedback", """{ "score": 1 }""").Body(200)));
        Assert.Equal((1.25, 2.0), await Quality("agent:anna/scored"));
        await api.Anna.PostText($"/v1/tasks/{task.CorrelationId}/feedback", """{ "score": 0.75 }""").Body(200);
        Assert.Equal((1.75, 2.0), await Quality("agent:anna/scored"));

        var ranking = await api.Anna.Get("/v1/ranking").Body(200);
        var model = ranking.EnumerateArray().Single(r => r.Text("subject") == "agent:anna/scored").GetProperty("models")[0];
        Assert.Equal(("groq:small", 0.875, JsonValueKind.Null),
            (model.Text("model"), model.GetProperty("quality").GetDouble(), model.GetProperty("score").ValueKind));
        Assert.DoesNotContain("anna", JsonSerializer.Serialize(await api.Ben.Get("/v1/ranking").Body(200)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Belongs_to_the_tasks_tenant_and_to_an_answer()
    {
        var (task, open) = (Answered("own"), Answered("own"));
        (open.AnsweredModel, open.State, open.EndedAt) = (null, TaskStates.Calling, null);
        await api.Write(task, open);

        await api.Ben.PostText($"/v1/tasks/{task.CorrelationId}/feedback", """{ "score": 0 }""").Problem(404);
        await api.Anna.PostText($"/v1/tasks/{Guid.NewGuid()}/feedback", """{ "score": 0 }""").Problem(404);
        Assert.Contains("'Calling'", await api.Anna.PostText($"/v1/tasks/{open.CorrelationId}/feedback", """{ "score": 0 }""").Problem(409),
            StringComparison.Ordinal);
        Assert.Equal(0, await Read(db => db.Feedback.CountAsync(f => f.TaskId == task.CorrelationId || f.TaskId == open.CorrelationId,
            TestContext.Current.CancellationToken)));
    }

    [Theory]
    [InlineData("{}", "missing")]
    [InlineData("""{ "score": 1.5 }""", "1.5")]
    [InlineData("""{ "score": -1 }""", "-1")]
    public async Task Refuses_what_is_no_score(string body, string found)
    {
        var task = Answered("no score");
        await api.Write(task);
        Assert.Contains($"'score' is {found}; expected a number from 0",
            await api.Anna.PostText($"/v1/tasks/{task.CorrelationId}/feedback", body).Problem(400), StringComparison.Ordinal);
    }

    private static TaskRow Answered(string agent) => new()
    {
        CorrelationId = Guid.CreateVersion7(), Version = 1, State = TaskStates.Completed, Tenant = "anna", Agent = agent, Kind = "code",
        AnsweredModel = "groq:small",
        SubmittedAt = Noon, UpdatedAt = Noon, CommandSentAt = Noon, EndedAt = Noon,
    };

    private async Task<(double, double)> Quality(string subject)
    {
        var row = await Read(db => db.Rankings.AsNoTracking()
            .SingleAsync(r => r.Subject == subject && r.Model == "groq:small", TestContext.Current.CancellationToken));
        return (row.Quality, row.QualityWeight);
    }

    private async Task<T> Read<T>(Func<QueueDb, Task<T>> read)
    {
        await using var db = await api.Services.GetRequiredService<IDbContextFactory<QueueDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        return await read(db);
    }
}
