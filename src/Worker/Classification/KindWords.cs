using System.Text.RegularExpressions;
using LlmQueue.Limits;
using LlmQueue.Storage.Tasks;

namespace LlmQueue.Worker.Classification;

/// <summary>
/// The words that identify a kind of task, in English, German, French and Spanish. A strong one names the work; a weak one counts only
/// beside others.
/// </summary>
internal static partial class KindWords
{
    private const int Strong = 3, Weak = 1;

    private const int MostOthers = 2;

    // A request begins with its verb, after at most a greeting and a "could you please".
    private const int Opening = 60, OpeningBonus = 2;

    private static readonly (string Kind, int Weight, Regex Words)[] Table =
    [
        ("summarization", Strong, Summaries()),
        ("classification", Strong, Labels()), ("classification", Weak, LabelHints()),
        ("multilingual", Strong, Translations()),
        ("code", Strong, Programs()), ("code", Weak, ProgramHints()), ("code", Strong, ProgramText()),
        ("architecture", Strong, Designs()), ("architecture", Weak, DesignHints()),
        ("reasoning", Strong, Proofs()), ("reasoning", Weak, ProofHints()),
        ("ideation", Strong, Ideas()),
        ("creative", Strong, Stories()),
        ("analysis", Strong, Analyses()), ("analysis", Weak, AnalysisHints()),
    ];

    /// <summary>The likeliest kind; the confidence falls when little speaks for it or something else as well.</summary>
    public static (string Kind, double Confidence, IReadOnlyList<string> Others) Best(string text, int length)
    {
        var scores = new Dictionary<string, int>();
        foreach (var (kind, weight, words) in Table)
        {
            var found = words.EnumerateMatches(text);
            if (!found.MoveNext())
                continue;
            var score = weight + (weight == Strong && found.Current.Index < Opening ? OpeningBonus : 0);
            // A second, different place makes it a little likelier; a word that is repeated all over the material does not.
            score += found.MoveNext() ? 1 : 0;
            scores[kind] = scores.GetValueOrDefault(kind) + score;
        }
        if (scores.Count == 0)
            return length < 160 && Questions().IsMatch(text) ? ("question", 0.8, []) : ("", 0, []);
        var ranked = scores.OrderByDescending(pair => pair.Value).ToList();
        double best = ranked[0].Value, second = ranked.Count > 1 ? ranked[1].Value : 0;
        return (ranked[0].Key, Math.Min(0.95, Math.Max(0, best - second / 2) / (best + 1)),
            [.. ranked.Skip(1).Take(MostOthers).Select(pair => pair.Key)]);
    }

    private const RegexOptions Plain = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    [GeneratedRegex(@"\b(summari[sz]e|summary|summarizing|tl;?dr|key (points|takeaways)|condense|in (one|two|three|a few) sentences|fass\w* .{0,80}zusammen|zusammenfass\w*|kurzfassung|kernaussagen|résum(e|er|ez|é)\b|synthèse|points clés|resum(e|ir|en|a)\b|resúm(e|ame|eme)|síntesis|puntos clave)", Plain)]
    private static partial Regex Summaries();

    [GeneratedRegex(@"\b(classif(y|ies|ication)|categori[sz]e|label (this|the|each|these)|tag (this|the|each|these)|which category|is this (spam|a complaint|positive|negative)|sentiment|klassifizier\w*|kategorisier\w*|ordne .{0,60}(zu|ein)\b|welche kategorie|stimmung(?! der musik)|class(e|er|ez|ifie|ifier|ifiez)\b|catégoris\w*|quelle catégorie|étiquet\w*|clasific\w*|categoriz\w*|qué categoría|etiquet(a|ar|e)\b|sentimiento)", Plain)]
    private static partial Regex Labels();

    [GeneratedRegex(@"\b(spam|positive or negative|yes or no|one of (the following|these)|urgent|ja oder nein|positiv oder negativ|oui ou non|positif ou négatif|sí o no|positivo o negativo|category|kategorie|catégorie|categoría)\b", Plain)]
    private static partial Regex LabelHints();

    [GeneratedRegex(@"\b(translat\w*|übersetz\w*|tradui\w*|traduct\w*|traduc(e|ir|ción)\b|tradúce\w*|traduzca\w*|in(to)? (german|french|spanish|italian|japanese|chinese|korean|portuguese|polish|ukrainian)\b|(ins|auf) (deutsche?|englische?|französische?|spanische?|italienische?)\b|en (anglais|français|allemand|espagnol)\b|al (inglés|español|francés|alemán)\b)", Plain)]
    private static partial Regex Translations();

    [GeneratedRegex(@"\b(refactor|debug|unit tests?|stack ?trace|(write|implement|fix|create) .{0,40}(function|method|class|script|query|regex|program|endpoint|bug|component|code|test)|fix (this|the|my) (code|bug|error)|why does this (code|function|query)|compil(e|er|ation) error|schreib\w* .{0,40}(funktion|methode|klasse|skript|abfrage|programm|test)|programmier\w*|behebe? .{0,30}(fehler|bug)|code ?review|(écri|implément|corrig|crée)\w* .{0,40}(fonction|méthode|classe|script|requête|programme|code|bug)|(escrib|implement|corrig|crea)\w* .{0,40}(función|método|clase|script|consulta|programa|código|error))", Plain)]
    private static partial Regex Programs();

    [GeneratedRegex(@"\b(python|c#|javascript|typescript|java|rust|golang|sql|bash|html|css|kubernetes|docker|regex|json|api|code|función|funktion|fonction|nullreferenceexception|exception)\b", Plain)]
    private static partial Regex ProgramHints();

    // Case counts here: this is the look of a program, whatever language surrounds it.
    [GeneratedRegex(
        @"```|^\s*(def|class|public|private|import|using|function|const|let|fn|func|SELECT|INSERT|UPDATE|CREATE TABLE)\s.*[\(\{;:]|=>\s*\{|\)\s*\{\s*$|#include\s*<",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex ProgramText();

    [GeneratedRegex(@"\b(software|system|service|event.driven|cloud|data|application)?[- ]?architect(ure|ural)\b|\b(design|architect|plan) .{0,60}(system|platform|service|microservice|database schema|pipeline|api)|systemarchitektur|softwarearchitektur|\barchitektur\b|\bentw(irf|erfe)\w* .{0,60}(system|plattform|dienst|architektur|datenbank)|\bcon[cç](ois|evoir|evez)\b.{0,60}(système|plateforme|service|architecture|base)|\barchitecture (logicielle|de)|\bdiseñ\w* .{0,60}(sistema|plataforma|servicio|arquitectura|base)|\barquitectura\b", Plain)]
    private static partial Regex Designs();

    [GeneratedRegex(@"\b(scal(e|able|ability|ierbar\w*)|microservices?|load balanc\w*|high availability|fault.toleran\w*|multi.tenant|event sourcing|hochverfügbar\w*|mandantenfähig\w*|haute disponibilité|alta disponibilidad|escalable|évolutive?)\b", Plain)]
    private static partial Regex DesignHints();

    [GeneratedRegex(@"\b(prove|proof|derive|step[- ]by[- ]step|logic puzzle|deduce|think through|solve (this|the|for)|how many ways|beweis\w*|leite .{0,40}her\b|herleit\w*|schritt für schritt|logikrätsel|löse (die|das|diese)|démontr\w*|prouv(e|er|ez)\b|étape par étape|déduis\w*|résou(s|dre|dez)|demuestr\w*|demostrar|paso a paso|dedu(ce|cir)|resuelv\w*)", Plain)]
    private static partial Regex Proofs();

    [GeneratedRegex(@"\b(probability|theorem|equation|if .{0,60} then|wahrscheinlichkeit|gleichung|satz von|probabilité|équation|théorème|probabilidad|ecuación|teorema|integer|modulo)\b", Plain)]
    private static partial Regex ProofHints();

    [GeneratedRegex(@"\b(brainstorm\w*|ideas? (for|about|on|to)|(give|suggest|list|come up with|propose|generate) .{0,40}(ideas|names|suggestions|slogans)|sammle .{0,40}ideen|ideen (für|zu|zum|zur)|(nenne|finde|gib|mach) .{0,40}(ideen|vorschläge)|(donne|propose|trouve|suggère)\w* .{0,40}(idées|suggestions|noms)|idées (pour|de)|remue-méninges|(dame|da|propón|sugier|genera)\w* .{0,40}(ideas|sugerencias|nombres)|lluvia de ideas|ideas (para|de|sobre))", Plain)]
    private static partial Regex Ideas();

    [GeneratedRegex(@"\b((write|compose|tell|create) .{0,40}(story|poem|song|lyrics|novel|haiku|limerick|screenplay|fairy tale|slogan|joke)|poem|haiku|(schreib|erzähl|dichte)\w* .{0,40}(geschichte|gedicht|lied|märchen|roman|witz)|gedicht|kurzgeschichte|(écri|raconte|compose)\w* .{0,40}(histoire|poème|chanson|conte|roman|blague)|poème|(escrib|cuent|cuént|compón)\w* .{0,40}(historia|cuento|poema|canción|novela|chiste)|poema)\b", Plain)]
    private static partial Regex Stories();

    [GeneratedRegex(@"\b(analy[sz]e|analysis|compare|evaluate|assess|pros and cons|root cause|interpret (the|this|these)|critique|what (caused|explains)|strengths and weaknesses|analysier\w*|vergleich\w*|bewerte\w*|vor- und nachteile|beurteil\w*|untersuch\w*|analyse\w*|compar(e|er|ez)\b|évalu\w*|avantages et (les )?inconvénients|analiz\w*|analic\w*|compar(a|ar)\b|evalú\w*|evaluar|ventajas y (las )?desventajas)", Plain)]
    private static partial Regex Analyses();

    [GeneratedRegex(@"\b(trends?|quarterly|revenue|impact|implications|trade-?offs?|findings|auswirkung\w*|umsatz\w*|quartal\w*|tendances?|impacto?|chiffre d'affaires|tendencias?|ingresos)\b", Plain)]
    private static partial Regex AnalysisHints();

    [GeneratedRegex(@"^\W*((hi|hello|hey|hallo|guten tag|bonjour|salut|hola)[ ,!.]+)?(what('s| is| are| was)|who|when|where|how (many|much|old|far|tall)|which|is|are|does|was (ist|sind|bedeutet|kostet)|wer|wann|wo|wie (viele?|hoch|alt|weit|heißt)|welche[rs]?|ist|qu'est-ce|qui|quand|où|combien|quel(le)?s?|est-ce|qué|quién|cuándo|dónde|cuánt[oa]s?|cuál(es)?)\b", Plain)]
    private static partial Regex Questions();
}
