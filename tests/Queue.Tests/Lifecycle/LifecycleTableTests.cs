using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Lifecycle;
using LlmQueue.Worker.PageSummaries;
using MassTransit;

namespace LlmQueue.Tests.Lifecycle;

public sealed partial class LifecycleTableTests
{
    internal static TaskStateMachine Tasks { get; } = WithoutActivities<TaskStateMachine>();

    internal static SummaryStateMachine Summaries { get; } = WithoutActivities<SummaryStateMachine>();

    [Fact]
    public void What_a_task_does_with_each_event_in_each_state_is_approved() =>
        Approval.Verify("task-lifecycle.txt", MachineTable.Of(Tasks).Render());

    [Fact]
    public void What_a_summary_does_with_each_event_in_each_state_is_approved() =>
        Approval.Verify("summary-lifecycle.txt", MachineTable.Of(Summaries).Render());

    [Fact]
    public void Every_cell_is_handled_or_ignored_on_purpose()
    {
        Assert.Empty(Unhandled(MachineTable.Of(Tasks)));
        Assert.Empty(Unhandled(MachineTable.Of(Summaries)));
    }

    [Fact]
    public void A_cell_that_nobody_thought_of_is_found()
    {
        var table = MachineTable.Of(new Forgetful());

        Assert.Equal([("Waiting", "Forgotten")], Unhandled(table).Select(c => (c.State, c.Event)));
        Assert.Equal("guarded → Done, else ignored", table["Waiting", "Moved"].ToString());
        Assert.Equal("ignored", table["Done", "Forgotten"].ToString());
    }

    [Fact]
    public void The_states_of_the_machines_are_the_states_that_rows_know()
    {
        Assert.Equal(TaskStates.All.Order(), MachineTable.Of(Tasks).States.Where(s => s != "Initial").Order());
        Assert.Equal(SummaryStates.All.Order(), MachineTable.Of(Summaries).States.Where(s => s != "Initial").Order());
    }

    [Fact]
    public void What_has_ended_is_moved_by_nothing()
    {
        var tasks = MachineTable.Of(Tasks);
        Assert.Equal(TaskStates.Ends.Order(), tasks.States.Where(s => tasks.Cells.Where(c => c.State == s).All(c => !c.Handled)).Order());
        var summaries = MachineTable.Of(Summaries);
        Assert.Equal(SummaryStates.Ends.Order(),
            summaries.States.Where(s => summaries.Cells.Where(c => c.State == s).All(c => !c.Handled)).Order());
    }

    /// <summary>To make the document anew: run this test, then mv docs/lifecycle.received.md docs/lifecycle.md.</summary>
    [Fact]
    public void The_document_shows_the_machines_as_they_are()
    {
        var text = new StringBuilder("""
            # The life of a task, and of a summary

            Made from the state machines (`src/Worker/Lifecycle/TaskStateMachine.cs`, `src/Worker/PageSummaries/SummaryStateMachine.cs`) and held by a test: a change there fails
            `LifecycleTableTests.The_document_shows_the_machines_as_they_are`, which writes `docs/lifecycle.received.md`; if the change is meant, move it here.

            """);
        text.Append("\n## A task\n\n").Append(MachineTable.Of(Tasks).Mermaid("admission")).Append('\n')
            .Append(States(Tasks, TaskStates.All));
        text.Append("\n## A set of pages\n\n").Append(MachineTable.Of(Summaries).Mermaid("nextStage")).Append('\n')
            .Append(States(Summaries, SummaryStates.All));

        Approval.VerifyFile(Path.Combine(BuiltPrograms.Repository, "docs", "lifecycle.md"), text.ToString(),
            "docs/lifecycle.md is made from the machines and never edited by hand.");
    }

    // A machine only takes hold of its activities' methods; nothing of them is used to read what follows what.
    private static T WithoutActivities<T>()
    {
        var constructor = typeof(T).GetConstructors().Single();
        return (T)constructor.Invoke([.. constructor.GetParameters().Select(p => RuntimeHelpers.GetUninitializedObject(p.ParameterType))]);
    }

    private static IEnumerable<MachineCell> Unhandled(MachineTable table) =>
        table.Cells.Where(c => c is { Handled: false, Ignored: false } && c.State != "Initial");

    private static string States<TSaga>(MassTransitStateMachine<TSaga> machine, IReadOnlyList<string> states) where TSaga : class,
    SagaStateMachineInstance
    {
        var assembly = machine.GetType().Assembly;
        var docs = XDocument.Load(Path.Combine(AppContext.BaseDirectory, $"{assembly.GetName().Name}.xml"));
        var text = new StringBuilder("| state | what it means, and who moves it on |\n|---|---|\n");
        foreach (var state in states)
        {
            var member = docs.Descendants("member")
                .SingleOrDefault(m => (string?)m.Attribute("name") == $"P:{machine.GetType().FullName}.{state}");
            Assert.True(member is not null, $"{machine.GetType().Name}.{state} has no doc; say what it means and who moves it on.");
            text.Append($"| `{state}` | {Spaces().Replace(member.Element("summary")!.Value.Trim(), " ")} |\n");
        }

        return text.ToString();
    }

    [GeneratedRegex(@"\s+", RegexOptions.None, 1000)]
    private static partial Regex Spaces();

    private sealed class Forgetful : MassTransitStateMachine<TaskRow>
    {
        public Forgetful()
        {
            InstanceState(task => task.State);
            Event(() => Moved, e => e.CorrelateById(c => c.Message.TaskId));
            Event(() => Forgotten, e => e.CorrelateById(c => c.Message.TaskId));
            During(Waiting, When(Moved, c => c.Saga.Attempt == 1).TransitionTo(Done), Ignore(Moved, c => c.Saga.Attempt != 1));
            During(Done, Ignore(Moved), Ignore(Forgotten));
        }

        public State Waiting { get; private set; } = null!;
        public State Done { get; private set; } = null!;
        public Event<StartTask> Moved { get; private set; } = null!;
        public Event<CancelTask> Forgotten { get; private set; } = null!;
    }
}
