using System.Globalization;
using System.Text.Json;
using LlmQueue.Api.Wire;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;

namespace LlmQueue.Embedded.Tasks;

/// <summary>A file of tasks, one JSON object a line.</summary>
/// <param name="Tasks">Those that can be taken, in the file's order, each with its id.</param>
/// <param name="Problems">What is wrong with the others, a sentence each, with its line.</param>
internal sealed record TaskFile(IReadOnlyList<LlmTask> Tasks, IReadOnlyList<string> Problems)
{
    /// <summary>Whose work the command line hands in where the queue has no tokens.</summary>
    private const string CommandTenant = "default";

    /// <param name="text">The whole file.</param>
    /// <param name="models">What the catalogue refuses.</param>
    /// <param name="now">Deadlines before it are refused.</param>
    public static TaskFile Read(string text, ModelChecks models, DateTime now)
    {
        var file = DeterministicId.Of(CommandTenant, "task-file", text);
        var (tasks, problems, lineOf) = (new List<LlmTask>(), new List<string>(), new Dictionary<Guid, int>());
        var number = 0;
        foreach (var line in text.TrimStart('\uFEFF').Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                using var json = JsonDocument.Parse(line);
                var task = Fields.Read<LlmTask>(json.RootElement);
                task = task with { Id = task.Id is { } own && own != Guid.Empty ? own : Id(file, number) };
                var refusal = TaskIntake.Read(task, task.Id.Value, tenant: null, now).Refusal ?? models.WhyUnknown(task.Model);
                if (refusal is null && !lineOf.TryAdd(task.Id.Value, number))
                    refusal = $"The id {task.Id} stands in line {lineOf[task.Id.Value]} already; expected every id once.";
                if (refusal is null)
                    tasks.Add(task);
                else
                    problems.Add($"Line {number}: {refusal}");
            }
            catch (JsonException fault)
            {
                problems.Add($"Line {number} is not JSON (at character {fault.BytePositionInLine + 1}); "
                    + "expected one object a line, for example {\"prompt\": \"Why is the sky blue?\"}.");
            }
            catch (ProblemException refused)
            {
                problems.Add($"Line {number}: {refused.Problem.Detail}");
            }
            catch (UnreadableMessageException nothing)
            {
                problems.Add($"Line {number}: {nothing.Message}");
            }
        }

        return new TaskFile(tasks, problems);
    }

    /// <summary>Follows from the file and the line, so that the same file handed in again hands in nothing twice.</summary>
    private static Guid Id(Guid file, int line) =>
        DeterministicId.Of(CommandTenant, "task", $"{file}", line.ToString(CultureInfo.InvariantCulture));
}
