using LlmQueue.Hosting;

namespace LlmQueue.Embedded;

/// <summary>
/// The output of commands: prompts, answers and names come from others, and must not move the cursor or rename the window.
/// </summary>
internal static class Terminal
{
    /// <summary>To the person, beside the result.</summary>
    public static void Say(string sentence) => Console.Error.WriteLine(VisibleText.Block(sentence));

    /// <summary>A line of the result.</summary>
    public static void WriteLine(string line) => Console.Out.WriteLine(VisibleText.Block(line));

    /// <summary>The result as a whole.</summary>
    public static void Write(string text) => Console.Out.Write(VisibleText.Block(text));

    /// <summary>A result that a program reads: escaped as JSON has it, so that it means the same.</summary>
    public static void WriteJson(string json) => Console.Out.WriteLine(VisibleText.InJson(json));
}
