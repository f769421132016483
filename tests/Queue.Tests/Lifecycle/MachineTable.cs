using System.Text;
using MassTransit;

namespace LlmQueue.Tests.Lifecycle;

/// <summary>What a machine does with an event in a state.</summary>
/// <param name="State">The state.</param>
/// <param name="Event">The event.</param>
/// <param name="Handled">Something is done.</param>
/// <param name="Guarded">Something is done only under a condition, such as the attempt being the current one.</param>
/// <param name="Ignored">It is ignored on purpose; always, or where the condition does not hold.</param>
/// <param name="Targets">The states it may lead to; empty when it stays.</param>
public sealed record MachineCell(string State, string Event, bool Handled, bool Guarded, bool Ignored, IReadOnlyList<string> Targets)
{
    public override string ToString() => (Handled, Ignored) switch
    {
        (false, false) => "UNHANDLED",
        (false, true) => "ignored",
        _ => $"{(Guarded ? "guarded " : "")}{(Targets.Count == 0 ? "stays" : $"→ {string.Join(" | ", Targets)}")}"
            + $"{(Ignored ? ", else ignored" : "")}",
    };
}

/// <summary>The state × event table of a machine, read from the machine itself.</summary>
public sealed class MachineTable
{
    private MachineTable(IReadOnlyList<string> states, IReadOnlyList<string> events, IReadOnlyList<MachineCell> cells) =>
        (States, Events, Cells) = (states, events, cells);

    /// <summary>In the order in which the machine declares them; Initial is the row that does not exist yet.</summary>
    public IReadOnlyList<string> States { get; }

    public IReadOnlyList<string> Events { get; }

    public IReadOnlyList<MachineCell> Cells { get; }

    public MachineCell this[string state, string @event] => Cells.Single(c => c.State == state && c.Event == @event);

    public static MachineTable Of<TSaga>(MassTransitStateMachine<TSaga> machine) where TSaga : class, SagaStateMachineInstance
    {
        var declared = Declared(machine, typeof(State));
        var events = Declared(machine, typeof(Event));
        var seen = new Seen();
        machine.Accept(seen);
        var cells = new List<MachineCell>();
        foreach (var state in machine.States.Where(s => s.Name != "Final").OrderBy(s => declared.IndexOf(s.Name)))
        {
            var accepted = machine.NextEvents(state).Select(e => e.Name).ToHashSet(StringComparer.Ordinal);
            var ignored = IgnoredBy(state);
            foreach (var name in events)
            {
                var handled = seen.Behaviors.GetValueOrDefault((state.Name, name));
                Assert.Equal(accepted.Contains(name), handled is not null || ignored.Contains(name));
                cells.Add(new MachineCell(state.Name, name, handled is not null, handled?.Guarded ?? false, ignored.Contains(name),
                    handled is null ? [] : [.. handled.Targets.OrderBy(declared.IndexOf)]));
            }
        }

        return new MachineTable([.. cells.Select(c => c.State).Distinct()], events, cells);
    }

    public string Render()
    {
        var text = new StringBuilder();
        foreach (var state in States)
        {
            text.Append(state).Append('\n');
            foreach (var cell in Cells.Where(c => c.State == state && (c.State != "Initial" || c.Handled)))
                text.Append($"  {cell.Event,-16}{cell}\n");
        }

        return text.ToString();
    }

    /// <param name="fork">What the fork is called that several events lead to, so that it is drawn once.</param>
    public string Mermaid(string fork)
    {
        // The fork that draws the most arrows at once, whatever else its cells lead to.
        var shared = Cells.Select(c => c.Targets).Where(t => t.Count > 2)
            .MaxBy(fork => fork.Count * Cells.Count(c => fork.All(c.Targets.Contains)))!;
        var text = new StringBuilder($"```mermaid\nstateDiagram-v2\n    state {fork} <<choice>>\n");
        var edges = Cells.SelectMany(c => (shared.All(c.Targets.Contains) ? [fork, .. c.Targets.Except(shared)] : c.Targets)
            .Select(target => (c.State, Target: target, c.Event)));
        foreach (var edge in edges.GroupBy(e => (e.State, e.Target)))
            text.Append($"    {(edge.Key.State == "Initial" ? "[*]" : edge.Key.State)} --> {edge.Key.Target}: "
                + $"{string.Join(", ", edge.Select(e => e.Event))}\n");
        foreach (var target in shared)
            text.Append($"    {fork} --> {target}\n");
        foreach (var end in States.Where(s => Cells.Where(c => c.State == s).All(c => c.Targets.Count == 0)))
            text.Append($"    {end} --> [*]\n");
        return text.Append("```\n").ToString();
    }

    // Declaration order is the order in which a reader of the machine meets them.
    private static List<string> Declared(object machine, Type kind) =>
        [.. machine.GetType().GetProperties()
            .Where(p => p.DeclaringType == machine.GetType() && kind.IsAssignableFrom(p.PropertyType))
            .OrderBy(p => p.MetadataToken).Select(p => p.Name)];

    // MassTransit shows which events a state accepts, but not which of them it accepts in order to do nothing.
    private static HashSet<string> IgnoredBy(State state)
    {
        const string Field = "_ignoredEvents";
        var field = state.GetType().GetField(Field, System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance)
            ?? throw new InvalidOperationException(
                $"MassTransit's state has no field {Field} any more; look up how it keeps ignored events in this version.");
        return [.. ((System.Collections.IDictionary)field.GetValue(state)!).Keys.Cast<Event>().Select(e => e.Name)];
    }

    private sealed record Behavior(List<bool> TopLevelConditions, SortedSet<string> Targets)
    {
        // "When(event, filter)" is one condition around everything.
        public bool Guarded => TopLevelConditions.TrueForAll(c => c);
    }

    private sealed class Seen : StateMachineVisitor
    {
        private string state = "";
        private Behavior current = new([], []);
        private int depth;

        public Dictionary<(string State, string Event), Behavior> Behaviors { get; } = [];

        public void Visit(State visited, Action<State> next)
        {
            state = visited.Name;
            next(visited);
        }

        public void Visit(Event visited, Action<Event> next)
        {
            Enter(visited);
            next(visited);
        }

        public void Visit<TMessage>(Event<TMessage> visited, Action<Event<TMessage>> next) where TMessage : class
        {
            Enter(visited);
            next(visited);
        }

        public void Visit(IStateMachineActivity activity) => Visit(activity, _ => { });

        public void Visit(IStateMachineActivity activity, Action<IStateMachineActivity> next)
        {
            var type = activity.GetType();
            if (depth == 0)
                current.TopLevelConditions.Add(type.Name.StartsWith("ConditionActivity", StringComparison.Ordinal));
            if (type.Name.StartsWith("TransitionActivity", StringComparison.Ordinal))
                current.Targets.Add(((State)type.GetProperty("ToState")!.GetValue(activity)!).Name);
            depth++;
            next(activity);
            depth--;
        }

        public void Visit<T>(IBehavior<T> behavior) where T : class, SagaStateMachineInstance
        {
        }

        public void Visit<T>(IBehavior<T> behavior, Action<IBehavior<T>> next) where T : class, SagaStateMachineInstance => next(behavior);

        public void Visit<T, TMessage>(IBehavior<T, TMessage> behavior) where T : class, SagaStateMachineInstance where TMessage : class
        {
        }

        public void Visit<T, TMessage>(IBehavior<T, TMessage> behavior, Action<IBehavior<T, TMessage>> next)
            where T : class, SagaStateMachineInstance
            where TMessage : class =>
            next(behavior);

        private void Enter(Event visited)
        {
            depth = 0;
            current = new Behavior([], []);
            Behaviors[(state, visited.Name)] = current;
        }
    }
}
