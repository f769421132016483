using System.Text.RegularExpressions;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.House;

/// <summary>Commands print through <c>Terminal</c> alone, which lets no control character of others through.</summary>
public sealed partial class TerminalRuleTests
{
    /// <summary>
    /// The terminal itself; the live display, which draws with control characters of its own and is given text that is fit for a line.
    /// </summary>
    private static readonly string[] Homes = ["Terminal.cs", "ProgressDisplay.cs"];

    [Fact]
    public void Nobody_else_writes_to_the_console()
    {
        var root = Path.Combine(BuiltPrograms.Repository, "src", "Embedded");
        var files = Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));

        Assert.DoesNotContain(files, f => !Homes.Contains(Path.GetFileName(f)) && Writes().IsMatch(File.ReadAllText(f)));
    }

    [Theory]
    [InlineData("Console.WriteLine(x);")]
    [InlineData("await Console.Out.WriteAsync(x);")]
    [InlineData("Run(Console.Error.WriteLine);")]
    public void Who_does_is_found(string line) => Assert.Matches(Writes(), line);

    [Fact]
    public void Reading_is_nothing_else() => Assert.DoesNotMatch(Writes(), "await Console.In.ReadToEndAsync(stop)");

    [GeneratedRegex(@"\bConsole\.(Out|Error|Write|OpenStandard(Output|Error))", RegexOptions.None, 1000)]
    private static partial Regex Writes();
}
