using System.Collections.Frozen;

namespace LlmQueue.Worker.PageSummaries.Extraction;

/// <summary>Stop words by language. The language of a text is the one whose words it has most of.</summary>
internal static class StopWords
{
    private static readonly FrozenDictionary<string, FrozenSet<string>> Languages = new Dictionary<string, string>
    {
        ["en"] = "a about above after again against all also am an and any are as at be because been before being below between both but "
            + "by can could did do does doing down during each few for from further had has have having he her here hers him his how i if "
            + "in into is it its itself just may me might more most must my no nor not now of off on once only or other our out over own "
            + "same she should so some such than that the their them then there these they this those through to too under until up very "
            + "was we were what when where which while who whom why will with would you your",
        ["de"] = "aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei beim bin bis bist da damit dann "
            + "das dass dein dem den denn der des die dies diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer "
            + "eines er es etwas euer für gegen hab habe haben hat hatte hier hin hinter ich ihm ihn ihnen ihr ihre im in ins ist ja jede "
            + "jedem jeden jeder jedes jener kann kein keine können könnte machen man manche mehr mein mit muss musste nach nicht nichts "
            + "noch nun nur ob oder ohne sehr sein seine selbst sich sie sind so solche soll sollte sondern sonst über um und uns unser "
            + "unter viel vom von vor war waren warum was weg weil weiter welche wenn wer werde werden wie wieder will wir wird wirst wo "
            + "wollen wurde wurden zu zum zur zwar zwischen",
        ["fr"] = "à ai aient ainsi alors après au aucun aussi autre aux avait avant avec avoir car ce cela ces cet cette ceux chaque ci "
            + "comme comment d dans de depuis des deux doit donc dont du elle elles en encore entre est et étaient était été être eu fait "
            + "faire fois font ici il ils j je jusque l la le les leur leurs lors lui là ma mais me même mes moi moins mon n ne ni nos "
            + "notre nous on ont ou où par parce pas peu peut plus plusieurs pour pourquoi qu quand que quel quelle quelles quels qui s sa "
            + "sans se sera ses si son sont sous sur ta tandis te tes toi ton tous tout toute toutes très tu un une vers vos votre vous y",
        ["es"] = "a al algo algunas algunos ante antes así aunque cada como con contra cual cuando de del desde donde dos durante e el él "
            + "ella ellas ellos en entre era eran es esa esas ese eso esos esta está estaba están estas este esto estos fue fueron ha "
            + "había han hasta hay la las le les lo los más me mi mientras muy nada ni no nos nosotros o os otra otras otro otros para "
            + "pero por porque pueden puede que qué quien se sea ser si sí sido sin sobre son su sus también tan tanto te tiene tienen "
            + "todo todos tu un una uno unos usted y ya yo",
        ["pt"] = "a ao aos as até com como da das de dela dele depois do dos e é ela ele eles em entre era essa esse esta está este eu foi "
            + "foram há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem no nos nós o os ou para pela pelo por qual "
            + "quando que quem são se sem ser seu sua só também te tem um uma você",
        ["it"] = "a ad al alla alle anche avere ha hanno che chi ci come con cui da dal dalla dei del della delle di dove due e è ed era "
            + "essere fra gli i il in io la le lo loro ma mi nei nel nella non nostro o ogni per perché più può quale quando quello questa "
            + "questo se si sia sono su sua sul suo tra tutti un una uno",
        ["nl"] = "aan al alle als bij dan dat de der die dit doch door dus een en er ge geen had heb hebben heeft het hij hoe hun ik in is "
            + "je kan maar me meer men met mijn na naar niet nog nu of om omdat onder ook op over te tegen toch toen tot uit van veel voor "
            + "want waren was wat we wel werd wie wij worden wordt zal ze zij zijn zo zou",
    }.ToFrozenDictionary(l => l.Key, l => l.Value.Split(' ').ToFrozenSet(StringComparer.Ordinal), StringComparer.Ordinal);

    private static readonly FrozenSet<string> None = FrozenSet<string>.Empty;

    /// <summary>The stop words of the language that these words are most likely of; none when no language is recognised.</summary>
    public static FrozenSet<string> Of(IReadOnlyCollection<string> words)
    {
        // A language by its code, so that equal counts have one answer.
        var (language, hits) = Languages.OrderBy(l => l.Key, StringComparer.Ordinal)
            .Select(l => (l.Value, Hits: words.Count(l.Value.Contains))).MaxBy(l => l.Hits);
        return hits * 20 >= words.Count ? language : None;
    }
}
