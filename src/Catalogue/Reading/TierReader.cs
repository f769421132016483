using System.Text.Json;

namespace LlmQueue.Catalogue.Reading;

/// <summary>Reads the tiers of tenants, and checks that routes name no other.</summary>
internal sealed class TierReader(CatalogueProblems problems)
{
    private readonly HashSet<string> _tierNames = new(StringComparer.Ordinal);

    public Tiers Read(JsonPart? part)
    {
        if (part is null)
            return Tiers.None;
        if (part.Kind != JsonTokenType.StartObject)
            problems.Add(part.Line,
                $"'tiers' is {part.Shown}; expected an object of tiers, each with a list of tenants, "
                    + "such as { \"premium\": [\"acme\"] }.");
        var byTenant = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var tier in part.Members)
        {
            _tierNames.Add(tier.Name);
            if (tier.Value.Kind != JsonTokenType.StartArray)
                problems.Add(tier.Line, $"the tier '{tier.Name}' is {tier.Value.Shown}; expected a list of tenants.");
            foreach (var tenant in tier.Value.Items)
                if (tenant.Kind != JsonTokenType.String)
                    problems.Add(tenant.Line, $"the tier '{tier.Name}' holds {tenant.Shown}; expected tenants in quotes.");
                else if (!byTenant.TryAdd(tenant.Text, tier.Name))
                    problems.Add(tenant.Line, $"the tenant '{tenant.Text}' is of the tier '{byTenant[tenant.Text]}' already; keep one.");
        }

        return new Tiers(byTenant);
    }

    public void Check(CatalogueFields file)
    {
        foreach (var row in file.Optional("routes")?.Items ?? [])
            foreach (var member in row.Members.Where(m => m.Name == "tier"
                && m.Value.Kind == JsonTokenType.String
                && m.Value.Text is not (Route.Any or Tiers.Standard)
                && !_tierNames.Contains(m.Value.Text)))
            {
                var near = NearestName.Question(member.Value.Text, _tierNames);
                problems.Add(member.Line, $"the tier '{member.Value.Text}' is not among the 'tiers'"
                    + (near.Length == 0 ? "; add it there with its tenants." : near));
            }
    }
}
