namespace LlmQueue.Catalogue.Reading;

/// <summary>Gathers what is wrong with one file, so that it is mended in one go and not sentence by sentence.</summary>
internal sealed class CatalogueProblems(string fileName)
{
    private const int Shown = 10;
    private readonly List<(int Line, string Sentence)> _found = [];

    public void Add(int line, string sentence) => _found.Add((line, sentence));

    public void ThrowIfAny()
    {
        if (_found.Count == 0)
            return;
        var sentences = _found.OrderBy(problem => problem.Line).Take(Shown)
            .Select(problem => $"{fileName}, line {problem.Line}: {problem.Sentence}").ToList();
        if (_found.Count > Shown)
            sentences.Add($"{fileName}: and {_found.Count - Shown} more.");
        throw new CatalogueException(string.Join('\n', sentences));
    }
}
