using LlmQueue.Api.Access;

namespace LlmQueue.Api;

/// <summary>The OpenAPI document at GET /openapi.json. Written by hand; a test compares it with the routes and the contracts.</summary>
public static class OpenApiDocument
{
    public const string Resource = "LlmQueue.Api.openapi.json";

    public static void MapOpenApiDocument(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/openapi.json",
            () => TypedResults.Stream(typeof(OpenApiDocument).Assembly.GetManifestResourceStream(Resource)!, "application/json"))
            .WithMetadata(new OpenToEverybody());
}
