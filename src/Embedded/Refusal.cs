using System.Data.Common;
using LlmQueue.Catalogue;
using LlmQueue.Hosting.Settings;

namespace LlmQueue.Embedded;

/// <summary>The exit codes of the program; promised in the README.</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUse = 2;
    public const int SomePagesFailed = 3;
    public const int Interrupted = 130;
}

/// <summary>The command cannot run as asked: a sentence for the person, and exit code 2.</summary>
public sealed class RefusalException(string sentence, Exception? cause = null) : Exception(sentence, cause);

internal static class Refusals
{
    /// <summary>
    /// The sentences of a fault that lies in what was asked or set; null for a fault of our own, which deserves its stack.
    /// </summary>
    public static IReadOnlyList<string>? Of(Exception fault) => fault switch
    {
        SettingsException settings => settings.Problems,
        CatalogueException or RefusalException or DataFolderInUseException => [fault.Message],
        InvalidOperationException when fault.Message.StartsWith("The database is newer", StringComparison.Ordinal) => [fault.Message],
        // EF wraps what the database says.
        _ when Database(fault) is { } database => [$"The database cannot be used: {database.Message}"],
        _ => null,
    };

    private static DbException? Database(Exception? fault)
    {
        while (fault is not (null or DbException))
            fault = fault.InnerException;
        return (DbException?)fault;
    }
}
