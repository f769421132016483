using LlmQueue.Contracts;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.HostileTenant;

/// <summary>Ids that follow from an Idempotency-Key can be computed by anybody who guesses the key; nobody can lie in wait under them.</summary>
public sealed class IdentityTests(ApiUnderTest api) : IClassFixture<ApiUnderTest>
{
    private static readonly Guid Squatted = DeterministicId.Of("anna", "chat", "idempotency-key/chat", "order-7", "0");

    [Theory]
    [InlineData("/v1/tasks", """{ "id": "ID", "prompt": "Why?" }""")]
    [InlineData("/v1/tasks", """[{ "id": "ID", "prompt": "Why?" }]""")]
    [InlineData("/v1/summaries", """{ "id": "ID", "pages": [{ "text": "One." }] }""")]
    public async Task Nobody_may_choose_an_id_that_somebodys_key_leads_to(string address, string body) =>
        Assert.Contains("a UUID of version 8", await api.Ben
            .PostText(address, body.Replace("ID", Squatted.ToString(), StringComparison.Ordinal)).Problem(400), StringComparison.Ordinal);

    [Fact]
    public async Task Ids_of_other_versions_are_taken()
    {
        foreach (var id in new[] { Guid.NewGuid(), Guid.CreateVersion7() })
            await api.Ben.PostText("/v1/tasks", $$"""{ "id": "{{id}}", "prompt": "Why?" }""").Body(202);
    }
}
