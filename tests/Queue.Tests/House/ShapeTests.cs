using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using LlmQueue.Limits;
using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.House;

/// <summary>How large a class, a line and a file may be, and that what steps hand to each other has a type.</summary>
public sealed partial class ShapeTests
{
    private const int MostDependencies = 7;
    private const int MostColumns = 140;

    private const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly;

    /// <summary>Where steps of a task, and a unit of work and its commit, hand something on.</summary>
    private static readonly string[] Steps =
        ["LlmQueue.Worker.Planning", "LlmQueue.Worker.Lifecycle", "LlmQueue.Storage.UnitsOfWork", "LlmQueue.Storage.Commits"];

    /// <summary>
    /// Commands and events of a unit of work are records of Contracts with nothing in common: a common interface would become a message
    /// type of its own on the bus. Payloads of a context are MassTransit's, which finds each by its type.
    /// </summary>
    private static readonly string[] Messages =
    [
        "UnitOfWork.Commands", "UnitOfWork.Publish message", "UnitOfWork.Send command", "CommitEffects.Tell alert",
        "DetachedConsumeContext..ctor payloads", "Payloads..ctor payloads",
    ];

    private static IEnumerable<Type> Types => HouseRulesTests.Assemblies.SelectMany(assembly => assembly.GetTypes())
        .Where(type => !type.IsDefined(typeof(CompilerGeneratedAttribute)) && !type.FullName!.Contains('<'));

    [Fact]
    public void Nobody_is_handed_more_than_seven_things()
    {
        Assert.True(Types.Count() > 300);
        Assert.Empty(Types.SelectMany(TooMany));
    }

    [Fact]
    public void Who_is_handed_eight_things_is_found()
    {
        Assert.Equal(["Overloaded is handed 8 things"], TooMany(typeof(Overloaded)));
        // A record is a value: its fields are what it is, and nobody hands it services.
        Assert.Empty(TooMany(typeof(WideValue)));
    }

    [Fact]
    public void A_class_is_partial_for_a_generator_alone() => Assert.Empty(PartialForNothing(SourceFile.All));

    [Fact]
    public void A_class_that_is_partial_for_its_length_is_found() => Assert.Equal(
        ["A/X.cs: X is partial and no generator needs it", "A/Y.Two.cs: Y stands in another file as well"],
        PartialForNothing(
        [
            new("A/X.cs", "public sealed partial class X { }"),
            new("A/Y.One.cs", "partial class Y { [GeneratedRegex(\"a\")] static partial Regex R(); }"),
            new("A/Y.Two.cs", "partial class Y { [GeneratedRegex(\"b\")] static partial Regex S(); }"),
        ]));

    /// <summary>Text in raw strings (SQL, prompts) and in verbatim strings (regular expressions) is data: it stands as it is used.</summary>
    [Fact]
    public void Lines_end_by_column_140() => Assert.Empty(SourceFile.All.SelectMany(TooLong));

    [Fact]
    public void A_longer_line_is_found()
    {
        var (x, raw) = (new string('x', 141), "\"\"\"");

        Assert.Equal(["A/X.cs:2 has 141 columns"], TooLong(new("A/X.cs", $"\n{x}\n")));
        Assert.Equal(["A/X.cs:1 has 141 columns"], TooLong(new("A/X.cs", $"//{x[2..]}\n")));
        Assert.Equal(["A/X.cs:1 has 143 columns"], TooLong(new("A/X.cs", $"\"{x}\"")));
        Assert.Empty(TooLong(new("A/X.cs", $"var sql = {raw}\n{x}\n{raw};\n[GeneratedRegex(@\"{x}\")]\n")));
    }

    [Fact]
    public void What_one_step_hands_to_the_next_has_a_type()
    {
        var found = Types.Where(type => Steps.Any(place => type.Namespace == place || type.Namespace?.StartsWith(place + '.') == true))
            .SelectMany(Untyped).Order(StringComparer.Ordinal).ToList();

        // An exception that nobody needs any more is taken out of the list.
        Assert.Equal(Messages.Order(StringComparer.Ordinal), found);
    }

    [Fact]
    public void An_object_between_steps_is_found() => Assert.Equal(
        ["Bag.Decision", "Bag.Decisions", "Bag.Decide by", "Bag._scribble"], Untyped(typeof(Bag)));

    private static IEnumerable<string> TooMany(Type type) =>
        type is { IsClass: true } && type.GetMethod("<Clone>$") is null
            ? type.GetConstructors(Own).Select(made => made.GetParameters().Length).Where(count => count > MostDependencies)
                .Select(count => $"{type.Name} is handed {count} things")
            : [];

    private static IEnumerable<string> PartialForNothing(IEnumerable<SourceFile> files)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in files)
            foreach (var name in PartialType().Matches(file.Code).Select(match => match.Groups["name"].Value))
                if (!seen.Add($"{file.Project} {file.Folder} {name}"))
                    yield return $"{file.Path}: {name} stands in another file as well";
                else if (!Generator().IsMatch(file.Text))
                    yield return $"{file.Path}: {name} is partial and no generator needs it";
    }

    private static IEnumerable<string> TooLong(SourceFile file) =>
        Data().Replace(file.Text, match => new string('\n', match.Value.Count(c => c == '\n'))).Split('\n')
            .Select((line, place) => (Columns: line.TrimEnd('\r').Length, Place: place + 1)).Where(line => line.Columns > MostColumns)
            .Select(line => $"{file.Path}:{line.Place} has {line.Columns} columns");

    private static IEnumerable<string> Untyped(Type type)
    {
        foreach (var property in type.GetProperties(Own).Where(p => IsUntyped(p.PropertyType)))
            yield return $"{type.Name}.{property.Name}";
        foreach (var method in type.GetMethods(Own).Where(m => m.GetBaseDefinition() == m).Cast<MethodBase>()
            .Concat(type.GetConstructors(Own)))
            foreach (var parameter in method.GetParameters().Where(p => IsUntyped(p.ParameterType) && IsWritten(method)))
                yield return $"{type.Name}.{method.Name} {parameter.Name}";
        foreach (var field in type.GetFields(Own).Where(f => IsUntyped(f.FieldType) && !f.Name.Contains('<')))
            yield return $"{type.Name}.{field.Name}";
    }

    /// <summary>Not an accessor, a local function or what the compiler adds to records and delegates.</summary>
    private static bool IsWritten(MethodBase method) =>
        !method.Name.Contains('<') && !method.IsDefined(typeof(CompilerGeneratedAttribute)) && !(method.IsSpecialName && !method.IsConstructor)
        && !typeof(Delegate).IsAssignableFrom(method.DeclaringType);

    private static bool IsUntyped(Type type) =>
        type == typeof(object) || (type.IsArray && IsUntyped(type.GetElementType()!))
        || (type.IsGenericType && typeof(System.Collections.IEnumerable).IsAssignableFrom(type)
            && type.GetGenericArguments().Any(argument => argument == typeof(object)));

    [GeneratedRegex(@"\bpartial (class|record struct|record|struct|interface) (?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PartialType();

    [GeneratedRegex(@"\[(GeneratedRegex|LoggerMessage|JsonSerializable)\b", RegexOptions.None, 1000)]
    private static partial Regex Generator();

    [GeneratedRegex(@"\$*""{3,}[\s\S]*?""{3,}|@""(""""|[^""\n])*""", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Data();

    private sealed class Overloaded
    {
        public Overloaded(int a, int b, int c, int d, int e, int f, int g, int h) => Sum = a + b + c + d + e + f + g + h;

        public int Sum { get; }
    }

    private sealed record WideValue(int A, int B, int C, int D, int E, int F, int G, int H);

    private sealed class Bag
    {
        private readonly object? _scribble = null;

        public object? Decision => _scribble;

        public List<object> Decisions { get; } = [];

        public Bag Decide(object by) => by is Bag bag ? bag : this;
    }
}
