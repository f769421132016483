using LlmQueue.Api.Access;

namespace LlmQueue.Api;

/// <summary>
/// GET /openapi.json: what the API promises, for people and generators. Written by hand; a test holds it against the routes and the
/// contracts there are.
/// </summary>
public static class OpenApiDocument
{
    public const string Resource = "LlmQueue.Api.openapi.json";

    public static void MapOpenApiDocument(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/openapi.json",
            () => TypedResults.Stream(typeof(OpenApiDocument).Assembly.GetManifestResourceStream(Resource)!, "application/json"))
            .WithMetadata(new OpenToEverybody());
}
