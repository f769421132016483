using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;

namespace LlmQueue.Api.Models;

/// <summary>The model list of OpenAI's API, from the catalogue; <c>auto</c> is in it and lets the queue choose.</summary>
public static class ModelsApi
{
    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        var openAi = routes.MapGroup("").WithOpenAiErrors();
        openAi.MapGet("/v1/models", (CurrentCatalogue catalogue, TimeProvider clock) =>
            OpenAiAnswers.Ok(new { @object = "list", data = Models(catalogue.Now, clock) }));
        // Some providers' names have slashes of their own.
        openAi.MapGet("/v1/models/{**id}", (string id, CurrentCatalogue catalogue, TimeProvider clock) =>
            Models(catalogue.Now, clock).FirstOrDefault(m => m.Id == id || m.Id.EndsWith($":{id}", StringComparison.Ordinal)) is { } model
                ? OpenAiAnswers.Ok(model)
            : throw new ProblemException(new Problem(StatusCodes.Status404NotFound, "model-not-found", "There is no such model",
                $"The model '{id}' does not exist; GET /v1/models lists those that do.") { Param = "model", Code = "model_not_found" }));
    }

    private static IEnumerable<ModelObject> Models(ModelCatalogue catalogue, TimeProvider clock)
    {
        var today = DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime);
        return catalogue.Models.Where(m => !m.IsRetired(today))
            .Select(m => new ModelObject(m.Id.ToString(), "model", 0, m.Id.Provider))
            .Prepend(new ModelObject("auto", "model", 0, "llmqueue"));
    }

    /// <summary>The model object of OpenAI's API. The catalogue does not know when a model was created: 0.</summary>
    private sealed record ModelObject(string Id, string Object, long Created, string OwnedBy);
}
