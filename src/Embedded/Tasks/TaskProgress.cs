using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmQueue.Embedded.Tasks;

/// <summary>A line at the beginning and at the end, between them every two seconds when something has changed.</summary>
internal sealed class TaskProgress(int all, TimeProvider clock)
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(2);

    private int? shown;
    private long shownAt;

    public string? Line(int done)
    {
        if (done == shown || (shown is not null && done < all && clock.GetElapsedTime(shownAt) < Between))
            return null;
        (shown, shownAt) = (done, clock.GetTimestamp());
        return $"{done} of {all} tasks have ended";
    }
}
