namespace LlmQueue.Tests.Harness;

/// <summary>Finds the repository and the programs built beside these tests, wherever either lies.</summary>
public static class BuiltPrograms
{
    public static string Repository { get; } = FindRepository();

    public static string Simulator => Dll("tests/ProviderSimulator", "ProviderSimulator.dll");

    public static string Embedded => Dll("src/Embedded", "LlmQueue.Embedded.dll");

    public static string Worker => Dll("src/Worker", "LlmQueue.Worker.dll");

    public static string Api => Dll("src/Api", "LlmQueue.Api.dll");

    public static string Example => Dll("examples/dotnet", "LlmQueue.Examples.Ask.dll");

    // Built in the configuration that the tests were built in: tests/Queue.Tests/bin/Release/net10.0.
    private static string Dll(string project, string name)
    {
        var configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)))!;
        var dll = Path.Combine(Repository, project, "bin", configuration, "net10.0", name);
        return File.Exists(dll) ? dll
            : throw new FileNotFoundException($"{dll} is not there: build Queue.sln in {configuration} first, as ./test.sh does.", dll);
    }

    private static string FindRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Queue.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds Queue.sln.");
    }
}
