using System.Text;

namespace LlmQueue.Embedded.Summarizing;

/// <summary>A file that is written whole or not at all, and whose place is tried before the work begins.</summary>
internal sealed record OutputFile(string Option, string Path)
{
    private string Unfinished => Path + ".unfinished";

    /// <exception cref="RefusalException">Nothing can be written there.</exception>
    public void Try()
    {
        if (Directory.Exists(Path))
            throw new RefusalException($"{Option} is '{Path}', which is a folder; expected the name of a file.");
        try
        {
            if (File.Exists(Path))
                File.OpenWrite(Path).Dispose();
            File.WriteAllText(Unfinished, "");
            File.Delete(Unfinished);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new RefusalException($"{Option} is '{Path}', and nothing can be written there: {fault.Message}", fault);
        }
    }

    public void Write(string text)
    {
        File.WriteAllText(Unfinished, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        File.Move(Unfinished, Path, overwrite: true);
    }
}
