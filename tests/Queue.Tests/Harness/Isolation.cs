using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace LlmQueue.Tests.Harness;

/// <summary>
/// The tests, and the processes they start, know nothing of this machine's installation: with its keys a slip would spend money, and with
/// its DATABASE_URL a test that wipes or kills would do it to somebody's tasks. (A file .env is kept out by giving a started program a
/// LLMQUEUE_HOME of its own.)
/// </summary>
internal static partial class Isolation
{
    [ModuleInitializer]
    internal static void ForgetTheInstallation()
    {
        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => Settings().IsMatch(name)))
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    [GeneratedRegex(
        "^(DATABASE_URL|RABBITMQ_URL|CATALOGUE_PATH|BUDGET_DAILY_USD|LLMQUEUE_(?!TESTS).*|.*_SUMMARY_MODELS|SYNTHESIS_MODEL_.*"
            + "|(GROQ|OPENROUTER|MISTRAL|GEMINI|ANTHROPIC|OPENAI|LOCAL)_(API_KEY.*|ORG_.*|BASE_URL))$",
        RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Settings();
}
