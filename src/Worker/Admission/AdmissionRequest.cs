using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Admission;

/// <summary>What room is asked for.</summary>
/// <param name="Chain">The models, first choice first.</param>
/// <param name="Spread">True for a pool.</param>
/// <param name="InputUnits">The prompt's size in the estimate's units.</param>
/// <param name="OutputTokens">The longest answer.</param>
/// <param name="Kind">What the task is.</param>
/// <param name="Requests">1 for a call of its own, 0 for what goes along with another.</param>
public sealed record AdmissionRequest(
    IReadOnlyList<ModelId> Chain, bool Spread, double InputUnits, int OutputTokens, string? Kind, int Requests = 1)
{
    public static AdmissionRequest Of(TaskRow task) =>
        new(Models(task.Chain), task.Spread, task.PromptUnits, task.CallOutputTokens, task.CallKind);

    public static IReadOnlyList<ModelId> Models(string? chain) =>
        [.. (chain ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(ModelId.Parse)];
}
