using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmQueue.Contracts;
using LlmQueue.Tests.Harness;
using LlmQueue.Worker.Classification;

namespace LlmQueue.Tests.Classification;

/// <summary>
/// Stage 0 on prompts that were labelled by hand, in four languages, and written without a look at the rules: what the rules make of them
/// alone, and what comes out when the small model is asked where they are not sure. The small model is the simulator's, told the labels and
/// wrong at a set rate: the second figure says what the rules take from such a model or add to it, and nothing about a real one.
/// </summary>
public sealed class Stage0Tests(SimulatorFixture simulators) : IClassFixture<SimulatorFixture>
{
    private static readonly string File = Path.Combine(BuiltPrograms.Repository, "tests", "Queue.Tests", "Classification", "stage0.tsv");

    private const double ErrorRate = 0.15;

    private sealed record Labelled(string Language, string Kind, string Complexity, string Prompt)
    {
        public IReadOnlyList<LlmMessage> Messages => [new("user", Prompt)];
    }

    [Fact]
    public async Task Rules_alone_and_rules_with_the_small_model_are_measured_on_labelled_prompts()
    {
        var all = (await System.IO.File.ReadAllLinesAsync(File, TestContext.Current.CancellationToken))
            .Select(line => line.Split('\t')).Select(c => new Labelled(c[0], c[1], c[2], c[3])).ToList();
        var simulator = await simulators.Fresh();
        var byRules = all.ToDictionary(one => one, one => ClassificationRule.Decide(null, null, one.Messages));
        var asked = all.Where(one => byRules[one] is null).ToList();
        var strangers = await Ask(simulator, all);
        // A model of today sorts such prompts rightly about six times in seven; which ones it gets wrong follows from the seed.
        await simulator.Configure(new
        {
            sortingErrorRate = ErrorRate,
            sortingLabels = all.Select(one => new { text = one.Prompt, task = one.Kind, complexity = one.Complexity }),
        });
        var byModel = await Ask(simulator, asked);
        var modelAlone = await Ask(simulator, all);
        await simulator.Configure(new { sortingErrorRate = 0.08, sortingLabels = Array.Empty<object>() });
        Worker.Classification.Classification? Both(Labelled one) => byRules[one] ?? byModel[one];

        var report = new List<string>
        {
            $"{all.Count} prompts in {all.Select(one => one.Language).Distinct().Count()} languages; the small model is SIMULATED: "
                + $"it knows the labels and is wrong in {ErrorRate:P0} of them, drawn by seed",
            Line("rules alone", all, one => byRules[one]), Line("rules + model", all, Both),
            Line("model alone", all, one => modelAlone[one]),
            Line("word scores alone", all, one => strangers[one]) + " (the simulator without the labels)",
        };
        report.AddRange(all.Select(one => one.Language).Distinct()
            .Select(language => Line($"rules + model, {language}", all.FindAll(one => one.Language == language), Both)));
        report.Add($"the model was asked {asked.Count} times ({100.0 * asked.Count / all.Count:0} % of the prompts)");
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', report));

        Assert.True(all.Count >= 200 && all.Select(one => one.Language).Distinct().Count() == 4);
        Assert.Equal(ClassifierPrompt.Kinds.Order(), all.Select(one => one.Kind).Distinct().Order());
        // What was measured, less a little. The rules speak of a fifth of these, on purpose none of their own, and are wrong in a third of
        // those: the bar keeps them from getting worse.
        var decided = all.Where(one => byRules[one] is not null).ToList();
        Assert.True(Right(decided, one => byRules[one]) >= 0.6 * decided.Count,
            $"Where the rules speak they are right in {Right(decided, one => byRules[one])} of {decided.Count}.");
        Assert.True(Right(all, Both) >= 0.7 * all.Count, string.Join('\n', report));
    }

    private static string Line(string name, List<Labelled> prompts, Func<Labelled, Worker.Classification.Classification?> found)
    {
        var decided = prompts.Count(one => found(one) is not null);
        return $"{name,-20} decides {decided,3} of {prompts.Count,3}, "
            + $"kind right {Right(prompts, found),3} = {100.0 * Right(prompts, found) / prompts.Count,3:0} % of all, "
            + $"{100.0 * Right(prompts, found) / Math.Max(1, decided),3:0} % of the decided; "
            + $"complexity right {100.0 * prompts.Count(one => found(one)?.Complexity == one.Complexity) / Math.Max(1, decided),3:0} % of "
            + "the decided";
    }

    private static int Right(IEnumerable<Labelled> prompts, Func<Labelled, Worker.Classification.Classification?> found) =>
        prompts.Count(one => found(one)?.Kind == one.Kind);

    /// <summary>As the queue asks: the same prompt, the same packs, the same reader.</summary>
    private static async Task<Dictionary<Labelled, Worker.Classification.Classification?>> Ask(
        SimulatorProcess simulator, IReadOnlyList<Labelled> prompts)
    {
        var said = new Dictionary<Labelled, Worker.Classification.Classification?>();
        foreach (var pack in prompts.Chunk(16))
        {
            using var request = new HttpRequestMessage(HttpMethod.Post,
                new Uri(simulator.Client.BaseAddress!, "openai/v1/chat/completions"));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "sk-key-1");
            request.Content = JsonContent.Create(new
            {
                model = "small", max_tokens = 2000, response_format = new { type = "json_object" },
                messages = ClassifierPrompt.Messages([.. pack.Select(one => one.Messages)])
                    .Select(m => new { role = m.Role, content = m.Content }),
            });
            using var response = await simulator.Client.SendAsync(request, TestContext.Current.CancellationToken);
            var answer = JsonNode.Parse(
                await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!["choices"]![0]!["message"]!["content"]!
                .GetValue<string>();
            var entries = ClassifierPrompt.Entries(answer, pack.Length);
            for (var i = 0; i < pack.Length; i++)
                said[pack[i]] = ClassifierPrompt.Read(entries[i]);
        }

        return said;
    }
}
