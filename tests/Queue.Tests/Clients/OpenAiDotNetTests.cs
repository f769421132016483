using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using System.Text.Json;
using LlmQueue.Tests.Api;
using LlmQueue.Tests.Batches;
using LlmQueue.Tests.Harness;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Files;

namespace LlmQueue.Tests.Clients;

/// <summary>OpenAI's own .NET client, unchanged but for its address.</summary>
public sealed class OpenAiDotNetTests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string Catalogue = TestCatalogue.Of(new TestModel("small"));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_and_batches_until_their_output_is_read()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        var client = Client(queue, "first-secret");
        var files = client.GetOpenAIFileClient();
        var input = string.Concat(
            Enumerable.Range(0, 20).Select(i => BatchClient.Line($"line-{i}", $"Question {i}", i == 7 ? "nobody" : "small") + "\n"));

        OpenAIFile uploaded = await files.UploadFileAsync(new MemoryStream(Encoding.UTF8.GetBytes(input)), "input.jsonl",
            FileUploadPurpose.Batch, Cancel);
#pragma warning disable OPENAI001 // The client marks its batches as experimental.
        var batches = client.GetBatchClient();
        var operation = await batches.CreateBatchAsync(BinaryContent.Create(
            BinaryData.FromObjectAsJson(new { input_file_id = uploaded.Id, endpoint = "/v1/chat/completions", completion_window = "24h" })),
            waitUntilCompleted: true, new RequestOptions { CancellationToken = Cancel });
        var batch = JsonDocument.Parse((await batches.GetBatchAsync(operation.BatchId, new RequestOptions { CancellationToken = Cancel }))
            .GetRawResponse().Content).RootElement;
#pragma warning restore OPENAI001
        var output = (await files.DownloadFileAsync(batch.Text("output_file_id"), Cancel)).Value.ToString();
        var errors = (await files.DownloadFileAsync(batch.Text("error_file_id"), Cancel)).Value.ToString();

        Assert.Equal("completed", batch.Text("status"));
        Assert.Equal(19, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains("line-7", errors, StringComparison.Ordinal);
        Assert.Equal(FilePurpose.BatchOutput, (await files.GetFileAsync(batch.Text("output_file_id"), Cancel)).Value.Purpose);
        Assert.Contains((await files.GetFilesAsync(Cancel)).Value, f => f.Id == uploaded.Id);
        Assert.True((await files.DeleteFileAsync(uploaded.Id, Cancel)).Value.Deleted);
    }

    [Fact]
    public async Task Chat_streaming_and_models()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);
        var client = Client(queue, "first-secret");
        var chat = client.GetChatClient("small");

        ChatCompletion answer = await chat.CompleteChatAsync([new UserChatMessage("Why is the sky blue?")],
            new ChatCompletionOptions { MaxOutputTokenCount = 60, Temperature = 0.2f }, Cancel);
        var text = new StringBuilder();
        ChatFinishReason? finish = null;
        ChatTokenUsage? counted = null;
        await foreach (var update in chat.CompleteChatStreamingAsync([new UserChatMessage("Why is the sky blue?")],
            new ChatCompletionOptions { MaxOutputTokenCount = 60 }, Cancel))
        {
            foreach (var part in update.ContentUpdate)
                text.Append(part.Text);
            finish ??= update.FinishReason;
            counted = update.Usage ?? counted;
        }

        Assert.Equal(answer.Content[0].Text, text.ToString());
        Assert.NotNull(finish);
        Assert.Equal(counted!.InputTokenCount + counted.OutputTokenCount, counted.TotalTokenCount);
        Assert.True(answer.Usage.TotalTokenCount > 0);
        Assert.Contains((await client.GetOpenAIModelClient().GetModelsAsync(Cancel)).Value, m => m.Id == "groq:small");
    }

    [Fact]
    public async Task Errors_have_the_status_that_its_users_catch()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl);

        var unknown = await Assert.ThrowsAsync<ClientResultException>(
            () => Client(queue, "wrong").GetChatClient("small").CompleteChatAsync([new UserChatMessage("x")], cancellationToken: Cancel));
        var nobody = await Assert.ThrowsAsync<ClientResultException>(() => Client(queue, "first-secret")
            .GetChatClient("nobody").CompleteChatAsync([new UserChatMessage("x")], cancellationToken: Cancel));
        var empty = await Assert.ThrowsAsync<ClientResultException>(() => Client(queue, "first-secret")
            .GetChatClient("small").CompleteChatAsync([new UserChatMessage(" ")], cancellationToken: Cancel));
        var file = await Assert.ThrowsAsync<ClientResultException>(
            () => Client(queue, "first-secret").GetOpenAIFileClient().GetFileAsync("file-nobody", Cancel));

        Assert.Equal([401, 404, 400, 404], [unknown.Status, nobody.Status, empty.Status, file.Status]);
        Assert.Contains("model_not_found", nobody.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lists_of_batches_go_on_where_the_page_before_ended_and_who_calls_too_often_gets_a_429()
    {
        await using var queue = await WholeQueue.Start(Catalogue, (await simulators.Fresh()).BaseUrl,
            ("LLMQUEUE_REQUESTS_PER_MINUTE", "12"));
        var client = Client(queue, "first-secret");
        OpenAIFile file = await client.GetOpenAIFileClient()
            .UploadFileAsync(new MemoryStream("no json"u8.ToArray()), "input.jsonl", FileUploadPurpose.Batch, Cancel);
#pragma warning disable OPENAI001 // The client marks its batches as experimental.
        var batches = client.GetBatchClient();
        var made = new List<string>();
        for (var i = 0; i < 3; i++)
            made.Add((await batches.CreateBatchAsync(BinaryContent.Create(
                BinaryData.FromObjectAsJson(new { input_file_id = file.Id, endpoint = "/v1/chat/completions", completion_window = "24h" })),
                waitUntilCompleted: false, new RequestOptions { CancellationToken = Cancel })).BatchId);
        var listed = new List<string>();
        await foreach (var page in batches.GetBatchesAsync(null, 2, new RequestOptions { CancellationToken = Cancel }).GetRawPagesAsync())
            listed.AddRange(JsonDocument.Parse(page.GetRawResponse().Content).RootElement.GetProperty("data")
                .EnumerateArray().Select(b => b.Text("id")));
#pragma warning restore OPENAI001

        var refused = await Assert.ThrowsAsync<ClientResultException>(async () =>
        {
            for (var i = 0; i < 12; i++)
                await client.GetOpenAIModelClient().GetModelsAsync(Cancel);
        });

        Assert.Equal(Enumerable.Reverse(made), listed);
        Assert.Equal(429, refused.Status);
        Assert.Contains("rate_limit_exceeded", refused.Message, StringComparison.Ordinal);
        Assert.True(refused.GetRawResponse()!.Headers.TryGetValue("Retry-After", out _));
    }

    private static OpenAIClient Client(WholeQueue queue, string secret) =>
        new(new ApiKeyCredential(secret),
            new OpenAIClientOptions { Endpoint = new Uri(queue.Url, "v1"), RetryPolicy = new ClientRetryPolicy(0) });
}
