using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Limits;
using LlmQueue.Storage.Commits;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Outcomes;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Routing;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

// Parts: a prompt that no model holds is read in parts, each a pass with a call of its own that leaves notes; the question is then put with the notes in the place of the text.
public sealed partial class TaskDesk
{
    private const double ShareOfMinute = 0.75;

    /// <summary>Cuts a prompt that nobody holds, and the first part asks for room; else why the task cannot run.</summary>
    private async Task<NextStep?> InParts(BehaviorContext<TaskRow> context, NextStep refusal)
    {
        var (task, transition) = (context.Saga, Of(context));
        if (task.Pass is not null || refusal is not NextStep.Reject { IsTooLong: true } || LargestCallOfItsWay(task, transition) is not { } largest)
            return refusal;
        var prompt = StoredPrompt.Read(await PromptOf(context));
        switch (ChunkRule.Decide(prompt, largest.Tokens, task.MaxOutputTokens, largest.Notes))
        {
            case ChunkDecision.InParts { Prompts: var parts }:
                transition.Record(task.CorrelationId, "Chunked", task.State,
                    $"into {parts.Count} parts, each of at most {largest.Tokens - largest.Notes} tokens with its instructions: nobody holds {(long)task.PromptTokens + task.MaxOutputTokens} tokens in one call");
                for (var i = 0; i < parts.Count; i++)
                    transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = PayloadRow.PromptOf(TaskPasses.PartOf(i + 1, parts.Count)), Content = StoredPrompt.Write(parts[i], null, stream: false) });
                Fit(task, TaskPasses.PartOf(1, parts.Count), TokenEstimateRule.UnitsWithFrame(parts[0]), largest.Notes);
                return Route(task, transition);
            case ChunkDecision.TooMany many:
                return new NextStep.Reject($"The prompt is estimated at {task.PromptTokens} tokens, and the largest call that can be made here takes {largest.Tokens}: it would be read in {many.Parts} parts, and at most {many.Most} can be. Hand its pages in as a summary (POST /v1/summaries), or shorten it.");
            default:
                return refusal;
        }
    }

    /// <summary>The next part: what is sent was written when the prompt was cut, and who is asked is decided when room is sought.</summary>
    private async Task BeginPart(BehaviorContext<TaskRow> context, string part)
    {
        var (task, transition) = (context.Saga, Of(context));
        var messages = StoredPrompt.Read(await PartOf(context, PayloadRow.PromptOf(part))).Messages;
        var units = TokenEstimateRule.UnitsWithFrame(messages);
        // Limits may have been learned since it was cut; the notes give way first.
        var notes = LargestCallOfItsWay(task, transition) is { } largest ? Math.Min(largest.Notes, Math.Max(1, largest.Tokens - TokenEstimateRule.Estimate(units, TokenCalibration.None))) : task.PassOutputTokens;
        Fit(task, part, units, notes);
        task.Chain = null;
    }

    /// <summary>Keeps a part's notes; then comes the next part, and after the last one the question.</summary>
    private static AfterCall Noted(TaskRow task, UnitOfWork transition, CallOutcome.Answered answer, string model)
    {
        var (number, count) = TaskPasses.PlaceOf(task.Pass!);
        transition.Payloads.Add(new PayloadRow { SubjectId = task.CorrelationId, Part = task.Pass!, Content = answer.Text });
        transition.Record(task.CorrelationId, "Noted", task.State, $"{Place(task.Pass!)} by {model}");
        if (task.Deadline <= transition.Now)
            return new AfterCall.Fail($"Its deadline {task.Deadline:yyyy-MM-dd HH:mm:ss} UTC passed when {Place(task.Pass!)} had been read; the notes so far are among its passes.");
        return new AfterCall.NextPass(number < count ? TaskPasses.PartOf(number + 1, count) : TaskPasses.Draft, []);
    }

    /// <summary>The question with the notes of all parts.</summary>
    private async Task<IReadOnlyList<LlmMessage>> WithNotes(BehaviorContext<TaskRow> context, StoredPrompt question)
    {
        var (task, transition) = (context.Saga, Of(context));
        var count = TaskPasses.PlaceOf(task.Pass!).Count;
        var notes = new List<string>(count);
        for (var number = 1; number <= count; number++)
            notes.Add(await PartOf(context, TaskPasses.PartOf(number, count)));
        return ChunkRule.Compose(question, notes, LargestCallOfItsWay(task, transition)?.Tokens ?? LargestCall(task, transition.Now), task.MaxOutputTokens);
    }

    /// <summary>
    /// Tokens of the largest call that the task's own route leads to, for a part as well as for the question itself, and how many of them notes may take.
    /// Of a minute three quarters: what a model is found to count above the estimate is reserved as well, and must fit it still when the last part is reached.
    /// </summary>
    private (int Tokens, int Notes)? LargestCallOfItsWay(TaskRow task, UnitOfWork transition)
    {
        var (table, conditions, way) = (catalogue.Now, Conditions(transition.Now), WayOf(task, transition));
        var calls = MayAnswer(task, transition.Now).Select(m => (Tokens: (int)Math.Min(m.Context * ModelEntry.UsedShare, (LargestMinute(m) ?? int.MaxValue) * ShareOfMinute), m.MaxOutput));
        foreach (var (tokens, longest) in calls.Distinct().OrderByDescending(c => c.Tokens).ThenByDescending(c => c.MaxOutput))
        {
            var notes = ChunkRule.OutputTokens(tokens, longest);
            if (Leads(tokens, notes) && Leads(tokens, task.MaxOutputTokens))
                return (tokens, notes);
        }

        return null;

        bool Leads(int call, int output) =>
            output > 0 && call > output && RoutingRule.Decide(way with { PromptTokens = call - output, MaxOutputTokens = output }, table, conditions) is Routed;
    }

    private static string Place(string part)
    {
        var (number, count) = TaskPasses.PlaceOf(part);
        return $"part {number} of {count}";
    }
}
