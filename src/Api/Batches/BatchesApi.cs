using System.Text.Json;
using LlmQueue.Api.Access;
using LlmQueue.Api.Files;
using LlmQueue.Api.Wire;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Http;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Files;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Outbox;

namespace LlmQueue.Api.Batches;

/// <summary>
/// The batch endpoints of OpenAI's API; besides, windows from 30 minutes to 7 days, requests in the body instead of a file, and a webhook
/// at the end.
/// </summary>
public static class BatchesApi
{
    private const int MostListed = 100;

    public static void MapBatches(this IEndpointRouteBuilder routes)
    {
        var openAi = routes.MapGroup("").WithOpenAiErrors();
        openAi.MapPost("/v1/batches", Post);
        openAi.MapGet("/v1/batches", List);
        openAi.MapGet("/v1/batches/{id}", async (
            string id, HttpContext context, BatchRepository batches, DatabaseRetry database, CancellationToken cancellationToken) =>
            await Seen(await Find(id, context, batches, database, cancellationToken), batches, database, cancellationToken));
        openAi.MapPost("/v1/batches/{id}/cancel", Cancel);
    }

    /// <summary>Answers once the batch is durable; what is wrong with its lines is found after that, and told by its status.</summary>
    private static async Task<IResult> Post(
        HttpContext context, BatchRepository batches, FileStore files, CommandSender commandSender, WebhookChecks webhooks,
        RequestKeys keys, DatabaseRetry database, TimeProvider clock, CancellationToken cancellationToken)
    {
        var (caller, key) = (context.Caller(), IdempotencyKey.Of(context, "batch", context.Caller().Tenant));
        using var body = await JsonBody.Read(context.Request, cancellationToken);
        var request = BatchRequest.Read(body.RootElement);
        if (webhooks.WhyNot(request.WebhookUrl, caller.Tenant) is { } unheard)
            throw new ProblemException(Problem.Refused(unheard) with { Param = "webhook_url", Code = "invalid_value" });
        await key.Hold(keys, database, cancellationToken);
        var (id, now) = (key.NewId(0, clock), clock.GetUtcNow().UtcDateTime);
        if (key.IsGiven && await database.Read(ct => batches.Find(id, caller.Tenant, ct), cancellationToken) is { } known)
            return await Seen(known, batches, database, cancellationToken);
        var batch = new BatchRow
        {
            Id = id, Tenant = caller.Tenant, Endpoint = request.Endpoint, CompletionWindow = request.Window, Metadata = request.Metadata,
            OutputSeconds = request.OutputSeconds, WebhookUrl = request.WebhookUrl,
            CreatedAt = now, ExpiresAt = now + request.Length,
        };
        batch.InputFileId = request.Requests is { } inline
            ? await Inline(inline, batch, key, files, clock, cancellationToken)
            : OpenAiFormat.TryId(OpenAiFormat.FilePrefix, request.InputFileId, out var file)
                && await database.Read(ct => files.Find(file, caller.SeesAll ? null : caller.Tenant, ct), cancellationToken)
                    is { Purpose: "batch" }
                ? file
                : throw new ProblemException(Problem.Refused(
                    $"There is no file '{request.InputFileId}' of yours with the purpose 'batch'; upload it first (POST /v1/files).") with
                {
                    Param = "input_file_id", Code = "invalid_value",
                });
        await database.Write(ct => batches.Create(batch, ct), [id], cancellationToken);
        Knock(commandSender, id);
        return OpenAiAnswers.Ok(BatchObject.Of(batch, null));
    }

    private static async Task<IResult> List(
        HttpContext context, BatchRepository batches, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var limit = OpenAiQuery.Limit(context.Request.Query, MostListed, 20);
        var after = OpenAiQuery.Text(context.Request.Query, "after") is { } last
            ? await Find(last, context, batches, database, cancellationToken)
            : null;
        var (page, hasMore) = await database.Read(ct => batches.List(context.Caller().Scope, after, limit, ct), cancellationToken);
        var shown = new List<BatchObject>();
        foreach (var batch in page)
            shown.Add(await Counted(batch, batches, database, cancellationToken));
        return OpenAiAnswers.Ok(BatchList.Of(shown, hasMore));
    }

    /// <summary>What has ended stays as it is; asked twice, the second answer is the first.</summary>
    private static async Task<IResult> Cancel(
        string id, HttpContext context, BatchRepository batches, CommandSender commandSender, DatabaseRetry database,
        CancellationToken cancellationToken)
    {
        var batch = await Find(id, context, batches, database, cancellationToken);
        var canceled = await database.Read(ct => batches.Cancel(batch.Id, ct), cancellationToken);
        Knock(commandSender, batch.Id);
        batch = await Find(id, context, batches, database, cancellationToken);
        if (!canceled && batch.Status is not (BatchStatuses.Cancelling or BatchStatuses.Cancelled))
            throw new ProblemException(new Problem(StatusCodes.Status409Conflict, "ended", "The batch has ended",
                $"Cannot cancel a batch with status '{batch.Status}'."));
        return await Seen(batch, batches, database, cancellationToken);
    }

    /// <summary>Requests of the body become a file like any other: what follows is the same.</summary>
    private static async Task<Guid> Inline(
        JsonElement requests, BatchRow batch, IdempotencyKey key, FileStore files, TimeProvider clock, CancellationToken cancellationToken)
    {
        var file = new FileRow
        {
            Id = key.NewId(1, clock, "file"), Tenant = batch.Tenant, Purpose = "batch",
            Filename = $"{OpenAiFormat.Id(OpenAiFormat.BatchPrefix, batch.Id)}_input.jsonl", CreatedAt = batch.CreatedAt,
            ExpiresAt = batch.CreatedAt.AddDays(30),
        };
        // A crash after the file and before the batch: the key, which belongs to this body, finds it.
        if (key.IsGiven && await files.Find(file.Id, batch.Tenant, cancellationToken) is { } whole)
            return whole.Id;
        await using var writer = await files.Write(file, cancellationToken);
        var line = new MemoryStream();
        foreach (var request in requests.EnumerateArray())
        {
            line.SetLength(0);
            await using (var json = new Utf8JsonWriter(line))
                InlineLine(request, batch.Endpoint, json);
            line.WriteByte((byte)'\n');
            await writer.Write(line.GetBuffer().AsMemory(0, (int)line.Length), cancellationToken);
        }

        await writer.Complete(cancellationToken);
        return file.Id;
    }

    /// <summary>Inline requests may leave out what is the same for all of them.</summary>
    private static void InlineLine(JsonElement request, string endpoint, Utf8JsonWriter json)
    {
        if (request.ValueKind is not JsonValueKind.Object)
        {
            request.WriteTo(json);
            return;
        }

        json.WriteStartObject();
        if (!request.TryGetProperty("method", out _))
            json.WriteString("method", "POST");
        if (!request.TryGetProperty("url", out _))
            json.WriteString("url", endpoint);
        foreach (var property in request.EnumerateObject())
            property.WriteTo(json);
        json.WriteEndObject();
    }

    /// <summary>
    /// Sends the wake-up without waiting for it: the row is durable, and the batch processor finds it without the command as well.
    /// </summary>
    private static void Knock(CommandSender commandSender, Guid batch) =>
        _ = commandSender.Send([new MoveBatch(batch)], CancellationToken.None);

    private static async Task<IResult> Seen(
        BatchRow batch, BatchRepository batches, DatabaseRetry database, CancellationToken cancellationToken) =>
        OpenAiAnswers.Ok(await Counted(batch, batches, database, cancellationToken));

    private static async Task<BatchObject> Counted(
        BatchRow batch, BatchRepository batches, DatabaseRetry database, CancellationToken cancellationToken) =>
        BatchObject.Of(batch, batch.Status is BatchStatuses.InProgress or BatchStatuses.Finalizing or BatchStatuses.Cancelling
            ? await database.Read(ct => batches.Count(batch.Id, ct), cancellationToken)
            : null);

    private static async Task<BatchRow> Find(
        string id, HttpContext context, BatchRepository batches, DatabaseRetry database, CancellationToken cancellationToken) =>
        OpenAiFormat.TryId(OpenAiFormat.BatchPrefix, id, out var guid)
            && await database.Read(ct => batches.Find(guid, context.Caller().Scope, ct), cancellationToken) is { } batch
            ? batch
            : throw new ProblemException(Problem.NoSuch("batch"));
}
