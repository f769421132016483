namespace ProviderSimulator.Sorting;

/// <summary>
/// What the simulated small model goes by: beginnings of words that it associates with each kind of request, in four languages,
/// each with how strongly.
/// </summary>
internal static class SorterWords
{
    public static readonly (string Kind, double Weight, string[] Stems)[] Table =
    [
        ("summarization", 3, ["summar", "tldr", "condens", "shorten", "recap", "digest", "zusammen", "kurzfass", "kürz", "résum", "synthès",
            "récapitul", "raccourci", "resum", "sintetiz", "acort"]),
        ("summarization", 1,
            ["gist", "bullet", "minutes", "protokoll", "stichpunkt", "essentiel", "kern", "esencial", "puntos", "acta", "notes"]),
        ("classification", 3, ["classif", "categor", "label", "tag", "sort", "spam", "sentiment", "klassif", "kategor", "einordn", "zuordn",
            "stimmung", "catégor", "étiquet", "tri", "clasific", "etiquet", "sentimient"]),
        ("classification", 1,
            ["positive", "negative", "which", "urgent", "ticket", "dringend", "beschwerde", "plainte", "queja", "priorit"]),
        ("code", 3, ["function", "funktion", "fonction", "función", "python", "javascript", "typescript", "java", "sql", "regex", "bash",
            "script", "compil", "refactor", "bug", "stack", "exception", "unit", "endpoint", "docker", "css", "html", "loop", "array",
            "json", "código", "código", "programm"]),
        ("code", 1, ["code", "test", "method", "class", "implement", "fehler", "erreur", "error", "query", "abfrage", "requête", "consulta",
            "schleife", "boucle", "debug"]),
        ("architecture", 3,
            ["architect", "architekt", "arquitect", "microserv", "scalab", "skalier", "escalab", "infrastr", "multi-tenant", "failover"]),
        ("architecture", 1.5, ["system", "platform", "service", "design", "entwurf", "entwirf", "conçoi", "concev", "diseñ", "plattform",
            "plateforme", "plataform", "database", "datenbank", "million", "queue", "cluster"]),
        ("reasoning", 3, ["prove", "proof", "deduce", "logic", "puzzle", "beweis", "herleit", "rätsel", "démontr", "prouv", "énigm",
            "demuestr", "demostr", "acertij", "probab", "wahrscheinl", "equation", "gleichung", "équation", "ecuación"]),
        ("reasoning", 1, ["step", "schritt", "étape", "paso", "solve", "löse", "résou", "resuelv", "if", "wenn", "minut", "train", "zug",
            "calcul", "rechne", "berechn"]),
        ("ideation", 3, ["idea", "ideen", "idée", "brainstorm", "suggest", "vorschl", "suggér", "sugier", "inspir", "names", "namen",
            "slogan", "nombres", "noms"]),
        ("ideation", 1, ["possible", "option", "creative", "kreativ", "ways", "möglich", "campaign", "kampagne", "fête", "regalo",
            "geschenk", "cadeau"]),
        ("creative", 3, ["story", "poem", "song", "haiku", "novel", "fairy", "lyrics", "geschicht", "gedicht", "märchen", "lied",
            "histoire", "poème", "conte", "chanson", "cuento", "poema", "canción", "relato", "limerick"]),
        ("creative", 1,
            ["write", "schreib", "écri", "escrib", "tell", "erzähl", "raconte", "speech", "rede", "discours", "dialog", "scene", "szene"]),
        ("multilingual", 3.5, ["translat", "übersetz", "tradui", "traduc", "traduz"]),
        ("multilingual", 1.5, ["german", "french", "spanish", "english", "italian", "japanese", "deutsch", "französ", "spanisch",
            "englisch", "anglais", "allemand", "espagnol", "inglés", "alemán", "francés", "sprache", "language"]),
        ("analysis", 3, ["analy", "compar", "evaluat", "assess", "vergleich", "bewert", "untersuch", "beurteil", "évalu", "analiz", "evalú",
            "ventaj", "avantag", "nachteil", "vorteil"]),
        ("analysis", 1, ["why", "warum", "pourquoi", "impact", "risk", "risik", "cause", "ursach", "trend", "revenue", "umsatz", "ventes",
            "market", "data", "swot", "auswirk"]),
        ("question", 1.5, ["what", "who", "when", "where", "was", "wer", "wann", "wo", "quel", "qui", "quand", "où", "combien", "qué",
            "quién", "cuándo", "dónde", "cuánt", "capital", "how"]),
    ];

    public static readonly string[] Hard =
    [
        "detail", "thorough", "comprehens", "rigor", "complex", "trade", "justif", "prove", "distribut", "concurren", "scalab", "edge",
        "deep", "strateg", "compliance", "migrat", "legacy", "ausführl", "gründl", "umfass", "komplex", "begründ", "beweis", "skalier",
        "abwäg", "approfond", "complet", "démontr", "exhaust", "detallad", "profund", "complej", "demuestr",
    ];

    public static readonly string[] Easy =
    [
        "brief", "short", "simple", "quick", "just", "only", "one", "kurz", "einfach", "schnell", "nur", "bref", "court", "simplement",
        "juste", "breve", "cort", "sencill", "solo", "rápid",
    ];

    public static readonly string[] Kinds = [.. Table.Select(row => row.Kind).Distinct()];
}
