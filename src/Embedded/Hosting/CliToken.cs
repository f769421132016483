using System.Security.Cryptography;
using LlmQueue.Limits;

namespace LlmQueue.Embedded.Hosting;

/// <summary>
/// The secret by which the commands of an installation call its running queue. The process that holds the data folder writes a new one at
/// each start, readable by its own user alone; so nobody has to configure it, and it works whether LLMQUEUE_TOKENS holds secrets, hashes or
/// nothing (decision 27).
/// </summary>
internal static class CliToken
{
    private const int Bytes = 32;

    /// <exception cref="RefusalException">Nothing can be written there.</exception>
    public static string Create(string dataFolder)
    {
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes));
        // Under another name first: a command must not read half of it, and a file that others could read once is not used again.
        var unfinished = Place(dataFolder) + ".unfinished";
        try
        {
            File.Delete(unfinished);
            using (var writer = new StreamWriter(OwnerFile.Open(unfinished, FileMode.CreateNew)))
                writer.Write(secret);
            File.Move(unfinished, Place(dataFolder), overwrite: true);
            return secret;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new RefusalException(
                $"The data folder {dataFolder} cannot be written to: "
                    + $"{fault.Message} Make it writable, or name another one with LLMQUEUE_DATA.",
                fault);
        }
    }

    /// <summary>Null where there is none, or where it is another user's.</summary>
    public static string? Read(string dataFolder)
    {
        try
        {
            return File.ReadAllText(Place(dataFolder)) is { Length: > 0 } secret ? secret : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The queue's answer to a call without a token says what is missing.
            return null;
        }
    }

    private static string Place(string dataFolder) => Path.Combine(dataFolder, "cli-token");
}
