using LlmQueue.Contracts;
using LlmQueue.Tests.Harness;

namespace LlmQueue.Tests.Storage;

public sealed class DeterministicIdTests
{
    [Fact]
    public void The_same_parts_lead_to_the_same_id_in_every_process_and_version() =>
        Assert.Equal(Guid.Parse("ea1b41c2-3e57-8de0-8422-23358f081e7d"), DeterministicId.Of("anna", "task", "key-1", "0"));

    [Fact]
    public void An_id_says_that_it_was_derived()
    {
        var id = DeterministicId.Of("anna", "task");

        Assert.Equal((8, 0b10), (id.Version, id.Variant >> 2));
    }

    [Theory]
    [InlineData("ben", "task", "ab", "c")]
    [InlineData("anna", "summary", "ab", "c")]
    [InlineData("anna", "task", "a", "bc")]
    [InlineData("anna", "task", "abc", "")]
    [InlineData("anna", "task", "", "abc")]
    [InlineData("anna", "task", "c", "ab")]
    [InlineData("annatask", "", "ab", "c")]
    [InlineData("", "annatask", "ab", "c")]
    public void Another_tenant_another_kind_and_another_division_of_the_same_text_lead_to_another_id(
        string tenant, string kind, string first, string second) =>
        Assert.NotEqual(DeterministicId.Of("anna", "task", "ab", "c"), DeterministicId.Of(tenant, kind, first, second));

    [Fact]
    public void Fewer_parts_are_other_parts() =>
        Assert.Equal(4, new[]
        {
            DeterministicId.Of("anna", "task"), DeterministicId.Of("anna", "task", ""), DeterministicId.Of("anna", "task", "", ""),
            DeterministicId.Of("", "anna", "task"),
        }
            .Distinct()
            .Count());

    /// <summary>A second way to derive an id would be one without the tenant, or without lengths.</summary>
    [Fact]
    public void No_other_file_makes_an_id_of_bytes()
    {
        var source = Path.Combine(BuiltPrograms.Repository, "src");
        var files = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Where(file => File.ReadAllText(file).Contains("new Guid(", StringComparison.Ordinal));

        Assert.Equal(["DeterministicId.cs"], files.Select(file => Path.GetFileName(file)));
    }
}
