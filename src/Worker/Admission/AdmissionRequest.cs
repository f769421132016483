using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Admission;

/// <summary>What room is asked for.</summary>
/// <param name="Chain">The models, first choice first.</param>
/// <param name="LoadBalanced">True for a pool.</param>
/// <param name="InputUnits">The prompt's size in the estimate's units.</param>
/// <param name="OutputTokens">The longest answer.</param>
/// <param name="Kind">What the task is.</param>
/// <param name="Requests">1 for a call of its own, 0 for what goes along with another.</param>
public sealed record AdmissionRequest(
    IReadOnlyList<ModelId> Chain, bool LoadBalanced, double InputUnits, int OutputTokens, string? Kind, int Requests = 1)
{
    public static AdmissionRequest Of(TaskRow task) =>
        new((task.Route.Chain ?? ModelChain.Nobody).Models, task.Route.LoadBalanced, task.PromptUnits, task.CallOutputTokens,
            task.CallKind);
}
