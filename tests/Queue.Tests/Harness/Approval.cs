using LlmQueue.Tests.Api;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// Texts that change only on purpose: a mismatch writes *.received.* beside the approved file, and whoever means the change moves it there.
/// </summary>
public static class Approval
{
    public static string Folder { get; } = Path.Combine(BuiltPrograms.Repository, "tests", "Queue.Tests", "Approved");

    public static void Verify(string name, string text) => VerifyFile(Path.Combine(Folder, name), text, "");

    /// <param name="file">The approved file.</param>
    /// <param name="text">What was found.</param>
    /// <param name="advice">What whoever changed it should do besides.</param>
    public static void VerifyFile(string file, string text, string advice)
    {
        var (found, received) = (text.ReplaceLineEndings("\n").TrimEnd() + "\n", Received(file));
        var approved = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "";
        if (found == approved)
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, found);
        var (line, was, now) = FirstDifference(approved, found);
        Assert.Fail($"{Path.GetFileName(file)} differs from what is there now, first in line {line}.\napproved: {was}\nfound:    "
            + $"{now}\nIf the change is meant: mv {received} {file}\n{advice}");
    }

    public static (int Line, string Was, string Now) FirstDifference(string approved, string found)
    {
        var (before, after) = (approved.Split('\n'), found.Split('\n'));
        for (var i = 0; i < Math.Max(before.Length, after.Length); i++)
        {
            var (was, now) = (before.ElementAtOrDefault(i) ?? "(nothing)", after.ElementAtOrDefault(i) ?? "(nothing)");
            if (was != now)
                return (i + 1, was, now);
        }

        return (0, "", "");
    }

    private static string Received(string file) => Path.ChangeExtension(file, $".received{Path.GetExtension(file)}");
}
