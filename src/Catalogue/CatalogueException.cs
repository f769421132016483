namespace LlmQueue.Catalogue;

/// <summary>The catalogue doesn't fit: the file, the line, what was found and what was expected.</summary>
public sealed class CatalogueException(string message) : Exception(message);
