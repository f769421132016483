using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Intake;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Passes;
using LlmQueue.Worker.Planning.Transitions;
using LlmQueue.Worker.Recovery;
using LlmQueue.Worker.Routing;
using MassTransit;

namespace LlmQueue.Worker.Lifecycle;

/// <summary>
/// Activities for passes: the next one is written into the task's row as a call like any other, so that a wait, a fault or a restart in it
/// needs no more than in the first.
/// </summary>
public sealed class PassActivities(
    PayloadReader payloads,
    ConversationHistory history,
    PartSizes sizes,
    CurrentCatalogue catalogue,
    ModelAvailability availability)
{
    /// <summary>Writes the next pass into the row: who may answer it, how long it is, and in a payload of its own what is sent.</summary>
    public async Task Begin(BehaviorContext<TaskRow> context)
    {
        var transition = TaskTransition.Of(context);
        var next = (AfterCall.BeginPass)transition.AfterCall!;
        transition.Left = null;
        if (TaskPasses.IsPart(next.Pass))
            await BeginPart(transition, next.Pass);
        else
            await Begin(transition, next);
    }

    /// <summary>The prompt of a part was written when the whole was cut; the models are chosen by planning.</summary>
    private async Task BeginPart(TaskTransition transition, string part)
    {
        var messages = StoredPrompt.Read(await payloads.Read(transition, PayloadRow.PromptOf(part))).Messages;
        var units = TokenEstimateRule.UnitsWithFrame(messages);
        var notes = transition.Task.Pass.OutputTokens;
        // Limits may have been learned since it was cut; the notes give way first.
        if (sizes.Largest(transition) is { } largest)
            notes = Math.Min(largest.Notes, Math.Max(1, largest.Tokens - TokenEstimateRule.Estimate(units, TokenCalibration.None)));
        transition.EnterPass(part, units, notes);
        transition.Task.Route = transition.Task.Route with { Chain = null };
    }

    private async Task Begin(TaskTransition transition, AfterCall.BeginPass next)
    {
        var task = transition.Task;
        var question = await payloads.ReadQuestion(transition);
        var messages = await Compose(transition, question, next);
        // What its producer said of the answer holds for whatever becomes the answer; only the first writing of it can be read along.
        var prompt = next.Pass is TaskPasses.Draft or TaskPasses.Revision
            ? new StoredPrompt(messages, question.Parameters, question.Stream && next.Pass == TaskPasses.Draft)
            : new StoredPrompt(messages, null);
        int? outputTokens = next.Pass is TaskPasses.Critique or TaskPasses.Verdict ? CritiquePrompt.MaxOutputTokens : null;
        transition.EnterPass(next.Pass, TokenEstimateRule.UnitsWithFrame(prompt.Weighed()), outputTokens);
        // The question itself goes the ordinary way: planning finds out what it is and who is asked.
        var chain = next.Pass == TaskPasses.Draft ? null : ModelChain.Of(AbleModels(transition));
        task.Route = task.Route with { Chain = chain };
        transition.AddPayload(PayloadRow.PromptOf(next.Pass), StoredPrompt.Write(prompt.Messages, prompt.Parameters, prompt.Stream));
    }

    private async Task<IReadOnlyList<LlmMessage>> Compose(TaskTransition transition, StoredPrompt question, AfterCall.BeginPass next)
    {
        var (messages, lastPass) = (question.Messages, transition.Task.Pass.Name);
        return next.Pass switch
        {
            TaskPasses.Draft when TaskPasses.IsPart(lastPass) =>
                await history.Continue(transition, await WithNotes(transition, question, lastPass)),
            TaskPasses.Draft => await history.Continue(transition, ExtractionPrompt.Compiled(messages, await Read(TaskPasses.Extraction))),
            TaskPasses.Revision => RevisionPrompt.Messages(messages, await Read(PayloadRow.Draft), next.Issues),
            TaskPasses.Critique => CritiquePrompt.Messages(messages, await Read(PayloadRow.Draft)),
            _ => CritiquePrompt.Messages(messages, await Read(TaskPasses.Revision)),
        };

        ValueTask<string> Read(string part) => payloads.Read(transition, part);
    }

    /// <summary>The question with the notes of all parts.</summary>
    private async Task<IReadOnlyList<LlmMessage>> WithNotes(TaskTransition transition, StoredPrompt question, string lastPart)
    {
        var task = transition.Task;
        var count = TaskPasses.PlaceOf(lastPart).Count;
        var notes = new List<string>(count);
        for (var number = 1; number <= count; number++)
            notes.Add(await payloads.Read(transition, TaskPasses.PartOf(number, count)));
        var call = sizes.Largest(transition)?.Tokens ?? availability.LargestCall(task, transition.Now);
        return ChunkRule.Compose(question, notes, call, task.MaxOutputTokens);
    }

    /// <summary>
    /// Those who may be asked: any critic but the draft's own author, under whichever provider; its author alone; the critic that scored
    /// the draft, alone.
    /// </summary>
    private IReadOnlyList<ModelId> AbleModels(TaskTransition transition)
    {
        var task = transition.Task;
        var author = ModelId.Parse(task.Pass.DraftedBy!);
        var today = DateOnly.FromDateTime(transition.Now);
        var models = task.Pass.Name switch
        {
            TaskPasses.Critique => catalogue.Now.InService(catalogue.Now.Critics, today).Where(critic => critic.Name != author.Name),
            TaskPasses.Revision => [author],
            _ => [ModelId.Parse(task.Pass.Critic!)],
        };
        var request = new RouteRequest { PromptTokens = task.PromptTokens, MaxOutputTokens = task.CallOutputTokens };
        return RoutingRule.Able(models, request, catalogue.Now, availability.At(transition.Now));
    }
}
