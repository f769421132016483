using System.Globalization;
using LlmQueue.Catalogue;
using LlmQueue.Contracts;
using LlmQueue.Storage.Tasks;
using LlmQueue.Worker.Calling.Providers;
using LlmQueue.Worker.Classification;
using LlmQueue.Worker.Estimation;
using LlmQueue.Worker.Routing;

namespace LlmQueue.Embedded.Routing;

/// <summary>The text of the route command.</summary>
/// <param name="Lines">The lines.</param>
/// <param name="HasChain">False when nobody can take the task as it is.</param>
internal sealed record RouteText(IReadOnlyList<string> Lines, bool HasChain)
{
    private const string Indent = "                ";

    public static RouteText Of(RouteQuestion question, ModelCatalogue catalogue, Func<string, bool> hasKey, DateOnly today)
    {
        var lines = new List<string>();
        var found = ClassificationRule.Decide(question.Kind, question.Complexity, question.Messages);
        var kept = found ?? ClassificationRule.Default(question.Kind, question.Complexity);
        lines.AddRange(WhatItIs(question, found, kept, catalogue, hasKey, today));

        var request = new RouteRequest
        {
            Kind = kept.Kind, Complexity = kept.Complexity, Confidence = kept.Confidence, AlsoLikely = kept.AlsoLikely,
            Priority = Priorities.Name(Priorities.Parse(question.Priority) ?? Priorities.Normal), HighStakes = question.HighStakes,
            Agent = question.Agent, Tenant = question.Tenant ?? "default", Model = question.Model,
            PromptTokens = TokenEstimateRule.EstimatePromptTokens(question.Messages, TokenCalibration.None),
            MaxOutputTokens = question.MaxOutputTokens,
            ConversationTurns = question.Turns, NeedsContext = question.Turns > 1,
        };
        lines.Add(string.Create(CultureInfo.InvariantCulture,
            $"the task         about {request.PromptTokens:N0} tokens, answer up to {request.MaxOutputTokens:N0}; "
            + $"{request.Priority} priority, {(request.HighStakes ? "high" : "normal")} stakes, {request.ConversationTurns} turn(s), "
            + $"tenant {request.Tenant} ({catalogue.Tiers.Of(request.Tenant)}), agent {request.Agent ?? "none"}, "
            + $"load {question.Load:0.00}"));
        var conditions = new RouteConditions(hasKey, today, model => model.Limits.TokensPerMinute) { Load = question.Load };
        var reading = RouteReading.Of(request, catalogue, conditions);
        lines.AddRange(Rows(reading));
        lines.AddRange(Outcome(reading, request, catalogue, conditions));
        return new RouteText(lines, reading.Choice is Routed);
    }

    private static IEnumerable<string> WhatItIs(
        RouteQuestion question, Classification? found, Classification kept, ModelCatalogue catalogue, Func<string, bool> hasKey,
        DateOnly today)
    {
        if (found is { By: Stages.Producer })
        {
            yield return $"what it is       {found.Kind}, {found.Complexity}: "
                + $"its producer says so{(question.Complexity is null ? ", and the rules how hard" : "")}";
            yield break;
        }

        if (found is not null)
        {
            yield return Invariant(
                $"what it is       {found.Kind}, {found.Complexity}: the rules say so, {found.Confidence:0.00} sure{Others(found)}");
            yield break;
        }

        var guess = ClassificationRule.Guess(question.Messages);
        var asked = catalogue.InService(catalogue.Classifier, today).Where(id => hasKey(id.Provider)).ToList();
        yield return Invariant($"what it is       the rules are not sure: their best guess is {guess.Kind}, {guess.Confidence:0.00} sure, ")
            + Invariant($"and they speak from {ClassificationRule.Sure:0.0} on{Others(guess)}");
        yield return asked.Count == 0
            ? $"{Indent} no small model is there to be asked: {kept.Kind}, {kept.Complexity} is taken"
            : $"{Indent} a running queue asks the small model, {asked[0]}; here nobody is called, so this is the way of a task whose "
                + $"question was not answered: {kept.Kind}, {kept.Complexity} (--kind shows another)";
    }

    private static IEnumerable<string> Rows(RouteReading reading)
    {
        foreach (var row in reading.Rows)
        {
            if (row.Misfit is { } misfit)
                yield return $"  row {row.Row.Name,-20} does not fit: {misfit}";
            else if (row.Row != reading.Taken)
                yield return $"  row {row.Row.Name,-20} fits, and nobody of it can take the task";
            else
                yield return $"  row {row.Row.Name,-20} fits";
        }
    }

    private static IEnumerable<string> Outcome(
        RouteReading reading, RouteRequest request, ModelCatalogue catalogue, RouteConditions conditions)
    {
        if (reading.Choice is NoModel none)
        {
            yield return $"nobody           {none.Reason}";
            if (none.IsTooLong)
                yield return $"{Indent} a running queue reads one long message in up to {TaskPasses.MostParts} parts, "
                    + "and has the task answered from the notes of them";
            yield break;
        }

        var routed = (Routed)reading.Choice;
        var named = reading.Rows.SelectMany(row => row.Links)
            .Where(link => link.Serving is not null && link.WhyLeftOut is null).GroupBy(link => link.Serving!)
            .ToDictionary(g => g.Key, g => g.First());
        yield return $"rule             {routed.Rule}";
        for (var i = 0; i < routed.Models.Count; i++)
        {
            var id = routed.Models[i];
            var price = catalogue.Find(id)!.Price;
            var inPlace = named.TryGetValue(id, out var link) && link.Named != id ? $", for {link.Named}, which has retired" : "";
            var costs = price.CostUsd(1, 1) is null
                ? ", price unknown"
                : Invariant($" (${price.InputUsdPerMillion} in, ${price.OutputUsdPerMillion} out a million tokens)");
            yield return Invariant($"  {i + 1}. {id}{inPlace}{costs}");
        }

        foreach (var out_ in reading.Rows.SelectMany(row => row.Links).Where(link => link.WhyLeftOut is not null)
            .DistinctBy(link => link.Named))
            yield return $"  left out: {out_.Named} {out_.WhyLeftOut}";
        if (string.IsNullOrWhiteSpace(request.Model)
            && RoutingRule.Decide(request with { Kind = null, Complexity = null, Confidence = 1, AlsoLikely = [] }, catalogue, conditions)
                is Routed without)
            yield return $"unclassified     it would go to {without.Models[0]} first ({without.Rule})";
    }

    private static string Others(Classification found) =>
        found.AlsoLikely.Count == 0 ? "" : $"; it may also be {string.Join(" or ", found.AlsoLikely)}";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
