using System.Text.RegularExpressions;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.House;

/// <summary>SQL names its columns: a column that a migration adds must not move what a statement reads or writes by its place.</summary>
public sealed partial class SqlTests
{
    [Fact]
    public void Every_statement_names_its_columns()
    {
        var root = Path.Combine(BuiltPrograms.Repository, "src");
        var files = Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal))
            .ToList();

        Assert.Contains(files, file => File.ReadAllText(file).Contains("insert into ", StringComparison.Ordinal));
        Assert.Empty(
            files.SelectMany(file => Nameless(File.ReadAllText(file)).Select(found => $"{Path.GetRelativePath(root, file)}: {found}")));
    }

    [Theory]
    [InlineData("insert into keys select alias from k")]
    [InlineData("insert into budget_limits as b values ($1)")]
    [InlineData("""insert into {table} as t values ($1)""")]
    [InlineData("insert into tenants\n    values ('')")]
    [InlineData("select * from budgets")]
    [InlineData("select w.*, l.buckets from w")]
    [InlineData("update webhooks w set due_at = now() returning w.*")]
    public void A_statement_that_does_not_is_found(string sql) => Assert.Single(Nameless(sql));

    [Theory]
    [InlineData("insert into keys (alias) select k.alias from k")]
    [InlineData("insert into {table} as t (id, {columns}) values ($1)")]
    [InlineData("select count(*) from tasks")]
    [InlineData("select 2 * 3")]
    public void A_statement_that_does_is_left_alone(string sql) => Assert.Empty(Nameless(sql));

    private static IEnumerable<string> Nameless(string text) => Statement().Matches(text).Select(match => match.Value);

    [GeneratedRegex(@"\binsert\s+into\s+[\w{}""]+(\s+as\s+\w+)?\s+(select|values)\b|\b(select|returning)\s+(\w+\.)?\*",
        RegexOptions.IgnoreCase, 1000)]
    private static partial Regex Statement();
}
