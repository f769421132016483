using System.Globalization;
using System.Text.RegularExpressions;
using ProviderSimulator.Wire;

namespace ProviderSimulator.Sorting;

/// <summary>The answer to a prompt that wants requests sorted: one entry for each, whatever format was asked for.</summary>
internal static partial class SortingAnswer
{
    public static bool IsWanted(ChatRequest request) =>
        request.Format != AnswerFormat.Text
            && request.Mentions("complexity")
            && request.Mentions("confidence")
            && Request().IsMatch(request.UserText);

    public static string Write(ChatRequest request, Sorter sorter) => JsonText.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartArray("results");
        foreach (var match in Request().Matches(request.UserText).Cast<Match>())
        {
            var sorted = sorter.Sort(match.Groups["text"].Value, int.Parse(match.Groups["turns"].ValueSpan, CultureInfo.InvariantCulture));
            writer.WriteStartObject();
            writer.WriteNumber("id", int.Parse(match.Groups["id"].ValueSpan, CultureInfo.InvariantCulture));
            writer.WriteString("task", sorted.Task);
            writer.WriteString("alternative", sorted.Alternative);
            writer.WriteString("complexity", sorted.Complexity);
            writer.WriteBoolean("requires_context", sorted.RequiresContext);
            writer.WriteString("category", sorted.Category);
            writer.WriteNumber("confidence", sorted.Confidence);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    [GeneratedRegex("""<request id="(?<id>\d+)" turns_before="(?<turns>\d+)">\n(?<text>.*?)\n</request>""",
        RegexOptions.Singleline | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Request();
}
