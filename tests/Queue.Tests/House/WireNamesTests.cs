using System.Reflection;
using System.Text;
using LlmQueue.Contracts;
using LlmQueue.Storage.Summaries;
using LlmQueue.Storage.Tasks;
using LlmQueue.Tests.Harness;
using MassTransit;

namespace LlmQueue.Tests.House;

/// <summary>
/// Names that cross a process or a release are promises: messages in flight, rows in databases and other people's programs hold on to them.
/// </summary>
public sealed class WireNamesTests
{
    [Fact]
    public void Messages_and_their_fields_are_approved()
    {
        var text = new StringBuilder();
        foreach (var type in typeof(LlmTask).Assembly.GetExportedTypes().Where(t => t.GetMethod("<Clone>$") is not null)
            .OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            text.Append($"{MessageUrn.ForTypeString(type)}\n");
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
                text.Append($"  {char.ToLowerInvariant(property.Name[0])}{property.Name[1..]}: "
                    + $"{Name(property.PropertyType)}{(IsOptional(property) ? "?" : "")}\n");
        }

        Approval.Verify("messages.txt", text.ToString());
    }

    [Fact]
    public void States_and_queues_are_approved()
    {
        var queues = typeof(QueueNames).GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral)
            .Select(f => (string)f.GetRawConstantValue()!);
        Approval.Verify("names.txt",
            $"task states\n{Lines(TaskStates.All)}summary states\n{Lines(SummaryStates.All)}queues\n{Lines(queues)}");
    }

    [Fact]
    public void Every_command_has_a_queue_that_answers_it()
    {
        var commands = typeof(StartTask).Assembly.GetExportedTypes()
            .Where(t => t.GetConstructors() is [var made]
                && made.GetParameters() is [{ ParameterType: var first }, ..]
                && first == typeof(Guid)).ToList();

        Assert.Equal(13, commands.Count);
        Assert.All(commands, command => Assert.NotNull(QueueNames.AddressOf(Activator.CreateInstance(command, [
            .. command.GetConstructors()[0].GetParameters()
                .Select(p => p.ParameterType.IsValueType ? Activator.CreateInstance(p.ParameterType) : null)])!)));
    }

    private static string Lines(IEnumerable<string> names) => string.Concat(names.Select(n => $"  {n}\n"));

    private static bool IsOptional(PropertyInfo property) =>
        Nullable.GetUnderlyingType(property.PropertyType) is not null
            || new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable;

    private static string Name(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsGenericType
            ? $"{type.Name[..type.Name.IndexOf('`')]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
            : type.Name;
    }
}
