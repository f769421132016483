using LlmQueue.Api.Access;
using LlmQueue.Api.Wire;
using LlmQueue.OpenAi;
using LlmQueue.Storage.Batches;
using LlmQueue.Storage.Files;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Api.Files;

/// <summary>The file endpoints of OpenAI's API.</summary>
public static class FilesApi
{
    private const int MostListed = 10_000;

    public static void MapFiles(this IEndpointRouteBuilder routes)
    {
        var openAi = routes.MapGroup("").WithOpenAiErrors();
        openAi.MapPost("/v1/files", Post);
        openAi.MapGet("/v1/files", List);
        openAi.MapGet("/v1/files/{id}", async (
            string id, HttpContext context, FileStore files, DatabaseRetry database, CancellationToken cancellationToken) =>
            OpenAiAnswers.Ok(FileObject.Of(await Find(id, context, files, database, cancellationToken))));
        openAi.MapGet("/v1/files/{id}/content", Content);
        openAi.MapDelete("/v1/files/{id}", Delete);
    }

    /// <summary>Answers once every byte is durable.</summary>
    private static async Task<IResult> Post(
        HttpContext context, FileUpload upload, FileStore files, RequestKeys keys, DatabaseRetry database, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var (key, tenant) = (IdempotencyKey.Of(context, "file", context.Caller().Tenant), context.Caller().Tenant);
        var id = key.NewId(0, clock);
        // The same upload again finds what the first one made. Asked in any case: better known before 200 MB are on their way that
        // the database is away.
        var known = await database.Read(ct => files.Find(id, tenant, ct), cancellationToken);
        if (known is not null)
            await key.Hold(await upload.Fingerprint(context, cancellationToken), keys, database, cancellationToken);
        return OpenAiAnswers.Ok(FileObject.Of(known
            ?? await upload.Take(context, id, tenant, fingerprint => key.Hold(fingerprint, keys, database, cancellationToken),
                cancellationToken)));
    }

    private static async Task<IResult> List(
        HttpContext context, FileStore files, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var query = context.Request.Query;
        var limit = OpenAiQuery.Limit(query, MostListed, MostListed);
        var oldestFirst = OpenAiQuery.Text(query, "order") switch
        {
            null or "desc" => false,
            "asc" => true,
            var other => throw Refused($"'order' is '{other}'; expected 'asc' or 'desc'.", "order"),
        };
        var after = OpenAiQuery.Text(query, "after") is { } last ? await Find(last, context, files, database, cancellationToken) : null;
        var (page, hasMore) = await database.Read(
            ct => files.List(context.Caller().Scope, OpenAiQuery.Text(query, "purpose"), after, limit, oldestFirst, ct), cancellationToken);
        return OpenAiAnswers.Ok(FileList.Of([.. page.Select(FileObject.Of)], hasMore));
    }

    private static async Task<IResult> Content(
        string id, HttpContext context, FileStore files, DatabaseRetry database, CancellationToken cancellationToken)
    {
        var file = await Find(id, context, files, database, cancellationToken);
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = file.Bytes;
        await foreach (var chunk in files.Read(file.Id, 0, cancellationToken))
            await context.Response.Body.WriteAsync(chunk, cancellationToken);
        return Results.Empty;
    }

    private static async Task<IResult> Delete(
        string id, HttpContext context, FileStore files, BatchRepository batches, DatabaseRetry database,
        CancellationToken cancellationToken)
    {
        var file = await Find(id, context, files, database, cancellationToken);
        if (await database.Read(ct => batches.IsReading(file.Id, ct), cancellationToken))
            throw new ProblemException(new Problem(StatusCodes.Status409Conflict, "in-use", "The file is in use",
                $"The file '{id}' is being read by a batch that is validating; try again when it is in progress, or cancel it."));
        await files.Remove(file.Id, cancellationToken);
        return OpenAiAnswers.Ok(new FileDeleted(id, "file", true));
    }

    private static async Task<FileRow> Find(
        string id, HttpContext context, FileStore files, DatabaseRetry database, CancellationToken cancellationToken) =>
        OpenAiFormat.TryId(OpenAiFormat.FilePrefix, id, out var guid)
            && await database.Read(ct => files.Find(guid, context.Caller().Scope, ct), cancellationToken) is { } file
            ? file
            : throw new ProblemException(Problem.NoSuch("file"));

    private static ProblemException Refused(string detail, string? param) => new(Problem.Refused(detail) with { Param = param });
}
