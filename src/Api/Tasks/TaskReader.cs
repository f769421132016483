using System.Text.Json;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Hosting.Http;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Api.Tasks;

/// <summary>Reads posted tasks into rows: one task, or an array of which every one must be valid.</summary>
public sealed class TaskReader(ModelChecks models, WebhookChecks webhooks, TimeProvider clock)
{
    public const int MostTasks = 10_000;
    private const int MostErrors = 100;

    /// <summary>The tasks, and whether each brought its own id.</summary>
    /// <exception cref="ProblemException">400: at least one cannot be taken; none is.</exception>
    /// <param name="root">A task, or an array of them.</param>
    /// <param name="tenant">Whose they are.</param>
    /// <param name="key">Ids follow from it where none are chosen.</param>
    /// <param name="mayChooseAnyId">For the installation's own commands, whose ids follow from files.</param>
    public IReadOnlyList<AcceptedTask> Read(JsonElement root, string tenant, IdempotencyKey key, bool mayChooseAnyId)
    {
        if (root.ValueKind is not JsonValueKind.Array)
            return [Read(root, 0, tenant, key, mayChooseAnyId)];
        var count = root.GetArrayLength();
        if (count is 0 or > MostTasks)
            throw new ProblemException(Problem.Refused(count == 0
                ? "The array is empty; expected at least one task."
                : $"The array has {count:N0} tasks; at most {MostTasks:N0} are taken at once. Hand them in as several requests."));
        var (taken, errors) = (new List<AcceptedTask>(count), new List<TaskError>());
        foreach (var element in root.EnumerateArray())
        {
            try
            {
                taken.Add(Read(element, taken.Count + errors.Count, tenant, key, mayChooseAnyId));
            }
            catch (ProblemException refused)
            {
                errors.Add(new TaskError(taken.Count + errors.Count, refused.Problem.Detail));
            }
        }

        return errors.Count == 0 ? taken : throw new ProblemException(Problem.Refused(
            $"{errors.Count:N0} of {count:N0} tasks cannot be taken, so none was. "
                + $"The first, at index {errors[0].Index}: {errors[0].Detail}") with
        {
            More = new Dictionary<string, object?> { ["errors"] = errors.Take(MostErrors) },
        });
    }

    private AcceptedTask Read(JsonElement element, int index, string tenant, IdempotencyKey key, bool mayChooseAnyId)
    {
        var task = Fields.Read<LlmTask>(element);
        var id = task.Id is { } given && given != Guid.Empty ? given : key.NewId(index, clock);
        if (task.Id == id && DeterministicId.IsDerived(id) && !mayChooseAnyId)
            throw new ProblemException(Problem.DerivedId(id));
        try
        {
            var taken = TaskIntake.Read(task, id, tenant, clock.GetUtcNow().UtcDateTime);
            var refusal = taken.Refusal
                ?? models.WhyUnknown(task.Model)
                ?? models.WhyTooLarge(Characters(task), task.Model, inParts: true)
                ?? webhooks.WhyNot(task.WebhookUrl, tenant);
            return refusal is null ? taken : throw new ProblemException(Problem.Refused(refusal));
        }
        catch (UnreadableMessageException nothing)
        {
            throw new ProblemException(Problem.Refused(nothing.Message + Misspelt(element, ["prompt", "messages"])));
        }
    }

    /// <summary>" The field 'promt' is unknown; did you mean 'prompt'?", or nothing.</summary>
    internal static string Misspelt(JsonElement element, IReadOnlyList<string> wanted)
    {
        var (name, near) = Fields.Names(element).Select(name => (name, near: NearestName.Of(name, wanted)))
            .FirstOrDefault(pair => pair.near is not null);
        return near is null || name.Equals(near, StringComparison.OrdinalIgnoreCase)
            ? ""
            : $" The field '{name}' is unknown; did you mean '{near}'?";
    }

    private static long Characters(LlmTask task) => task.Prompt?.Length ?? task.Messages!.Sum(m => (long)m.Content.Length);

    private sealed record TaskError(int Index, string Detail);
}
