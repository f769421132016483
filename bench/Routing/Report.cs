using LlmQueue.Catalogue;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Bench.Routing;

/// <summary>The day's figures, printed.</summary>
internal static class Report
{
    private const double Wanted = 0.60;

    /// <summary>False when a task has no answer, or the saving is below what is wanted.</summary>
    public static bool Print(IReadOnlyList<DayTask> day, DayResult result, ModelCatalogue catalogue)
    {
        var done = result.Tasks.Where(task => task.State == "Completed").ToList();
        var unknown = done.Count(task => task.Usd is null);
        var (input, output) = (done.Sum(task => task.Input), done.Sum(task => task.Output));
        Console.WriteLine($"{day.Count} tasks, {done.Count} answered, {input:N0} prompt and {output:N0} answer tokens as the SIMULATED provider counts them; prices of catalogue.json today{(unknown == 0 ? "" : $"; {unknown} answers of unknown price are counted as the strongest model's")}");
        var today = DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);
        var strongest = catalogue.Models.Where(m => !m.IsRetired(today) && m.Price.CostUsd(1, 1) is not null).MaxBy(m => m.Price.CostUsd(1_000_000, 1_000_000))!;
        decimal Strongest(TaskResult task) => strongest.Price.CostUsd(task.Input, task.Output)!.Value;
        decimal Cost(TaskResult task) => task.Usd ?? Strongest(task);

        Console.WriteLine($"\n{"model",-36}{"tasks",7}{"share",8}{"US$",11}");
        foreach (var model in done.GroupBy(task => task.Model).OrderByDescending(g => g.Count()))
            Console.WriteLine($"{model.Key,-36}{model.Count(),7}{100.0 * model.Count() / done.Count,7:0.0}%{model.Sum(Cost),11:0.0000}");
        Console.WriteLine($"\n{"rule",-44}{"model",-36}{"tasks",7}{"share",8}{"US$",11}");
        foreach (var rule in done.GroupBy(task => (task.Rule, task.Model)).OrderByDescending(g => g.Count()))
            Console.WriteLine($"{rule.Key.Rule,-44}{rule.Key.Model,-36}{rule.Count(),7}{100.0 * rule.Count() / done.Count,7:0.0}%{rule.Sum(Cost),11:0.0000}");

        var truth = day.ToDictionary(task => task.Id);
        Console.WriteLine($"\n{"decided by",-14}{"tasks",7}{"share",8}{"kind right",12}{"complexity right",18}");
        foreach (var stage in done.GroupBy(task => task.By).OrderByDescending(g => g.Count()))
            Console.WriteLine($"{stage.Key,-14}{stage.Count(),7}{100.0 * stage.Count() / done.Count,7:0.0}%{100.0 * stage.Count(t => t.Kind == truth[t.Id].TrueKind) / stage.Count(),11:0}%{100.0 * stage.Count(t => t.Complexity == truth[t.Id].TrueComplexity) / stage.Count(),17:0}%");
        Console.WriteLine($"the small model (SIMULATED, wrong in {Installation.ErrorRate:P0} of kinds and of complexities) was asked {result.Questions} questions in {result.ClassifierCalls} calls");

        var spent = done.Sum(Cost) + result.ClassifierUsd;
        Console.WriteLine($"\n{"routed",-52}{spent,10:0.0000} US$, of which {result.ClassifierUsd:0.0000} to find out what tasks are");
        Compare($"everything to the strongest, {strongest.Id}", done.Sum(Strongest), spent);
        if (catalogue.Routes[^1].Models.Select(id => catalogue.InService(id, today)).FirstOrDefault(m => m?.Price.CostUsd(1, 1) is not null) is { } usual)
            Compare($"everything unclassified, to {usual.Id}", done.Sum(task => usual.Price.CostUsd(task.Input, task.Output)!.Value), spent);
        var saving = 1 - (double)(spent / done.Sum(Strongest));
        Console.WriteLine(saving >= Wanted ? $"saving {saving:P1}, at least {Wanted:P0} wanted" : $"saving {saving:P1}: BELOW the {Wanted:P0} wanted");
        return done.Count == day.Count && saving >= Wanted;
    }

    private static void Compare(string what, decimal whole, decimal spent) => Console.WriteLine($"{what,-52}{whole,10:0.0000} US$, saved {1 - (spent / whole):P1}");
}
