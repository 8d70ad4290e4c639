package phone

import (
	"slices"
	"strings"

	"parley/internal/twilio"
)

// text is something that callers hear in the carrier's own voice, when no agent can talk to them.
type text int

// The texts.
const (
	textMoment      text = iota // the stream was lost
	textUnknown                 // nobody has the dialed number
	textInactive                // the agent takes no calls
	textBusy                    // no new calls now
	textUnavailable             // a call cannot go on
	textAccept                  // behind the summary of a transfer, to its target
)

// texts are the words by language; English is for all others. Locale is what the carrier's voice is chosen by.
var texts = map[string]struct {
	locale string
	words  [textAccept + 1]string
}{
	"en": {"", [...]string{
		"One moment, please.",
		"This number is not in service. Please check the number and dial again.",
		"This line is not taking calls at the moment. Please try again later.",
		"All our lines are busy at the moment. Please call again in a few minutes.",
		"We are sorry, we cannot continue this call right now. Please call again in a few minutes.",
		"To take the call, press 1.",
	}},
	"de": {"de-DE", [...]string{
		"Einen Moment, bitte.",
		"Diese Nummer ist nicht vergeben. Bitte prüfen Sie die Nummer und wählen Sie noch einmal.",
		"Dieser Anschluss nimmt zurzeit keine Anrufe an. Bitte versuchen Sie es später noch einmal.",
		"Alle Leitungen sind zurzeit belegt. Bitte rufen Sie in einigen Minuten noch einmal an.",
		"Es tut uns leid, wir können dieses Gespräch gerade nicht fortsetzen. Bitte rufen Sie in einigen Minuten noch einmal an.",
		"Um den Anruf anzunehmen, drücken Sie die 1.",
	}},
	"fr": {"fr-FR", [...]string{
		"Un instant, s'il vous plaît.",
		"Ce numéro n'est pas attribué. Veuillez vérifier le numéro et rappeler.",
		"Cette ligne ne prend pas d'appels en ce moment. Veuillez réessayer plus tard.",
		"Toutes nos lignes sont occupées en ce moment. Veuillez rappeler dans quelques minutes.",
		"Nous sommes désolés, nous ne pouvons pas poursuivre cet appel pour l'instant. Veuillez rappeler dans quelques minutes.",
		"Pour prendre l'appel, appuyez sur le 1.",
	}},
	"es": {"es-ES", [...]string{
		"Un momento, por favor.",
		"Este número no está en servicio. Compruebe el número y vuelva a marcar.",
		"Esta línea no atiende llamadas en este momento. Inténtelo más tarde.",
		"Todas nuestras líneas están ocupadas en este momento. Vuelva a llamar dentro de unos minutos.",
		"Lo sentimos, no podemos continuar esta llamada ahora mismo. Vuelva a llamar dentro de unos minutos.",
		"Para atender la llamada, pulse 1.",
	}},
	"it": {"it-IT", [...]string{
		"Un momento, per favore.",
		"Questo numero non è attivo. Controlli il numero e richiami.",
		"Questa linea al momento non accetta chiamate. Riprovi più tardi.",
		"Al momento tutte le linee sono occupate. Richiami tra qualche minuto.",
		"Siamo spiacenti, al momento non possiamo proseguire la chiamata. Richiami tra qualche minuto.",
		"Per prendere la chiamata, prema 1.",
	}},
	"nl": {"nl-NL", [...]string{
		"Een ogenblik, alstublieft.",
		"Dit nummer is niet in gebruik. Controleer het nummer en bel opnieuw.",
		"Deze lijn neemt op dit moment geen gesprekken aan. Probeer het later opnieuw.",
		"Al onze lijnen zijn op dit moment bezet. Bel over een paar minuten terug.",
		"Het spijt ons, we kunnen dit gesprek nu niet voortzetten. Bel over een paar minuten terug.",
		"Druk op 1 om het gesprek aan te nemen.",
	}},
	"sv": {"sv-SE", [...]string{
		"Ett ögonblick, tack.",
		"Numret är inte i bruk. Kontrollera numret och ring igen.",
		"Den här linjen tar inte emot samtal just nu. Försök igen senare.",
		"Alla våra linjer är upptagna just nu. Ring igen om några minuter.",
		"Vi beklagar, vi kan inte fortsätta samtalet just nu. Ring igen om några minuter.",
		"Tryck 1 för att ta samtalet.",
	}},
	"fi": {"fi-FI", [...]string{
		"Hetkinen, olkaa hyvä.",
		"Numero ei ole käytössä. Tarkistakaa numero ja soittakaa uudelleen.",
		"Tämä linja ei ota puheluita vastaan juuri nyt. Yrittäkää myöhemmin uudelleen.",
		"Kaikki linjamme ovat juuri nyt varattuja. Soittakaa muutaman minuutin kuluttua uudelleen.",
		"Olemme pahoillamme, emme voi jatkaa puhelua juuri nyt. Soittakaa muutaman minuutin kuluttua uudelleen.",
		"Ottakaa puhelu vastaan painamalla 1.",
	}},
}

// say speaks a text in a language (an ISO 639 code or BCP 47 tag, "" = unknown), in English if we do not have it.
func say(t text, language string) twilio.Say { return sayAfter("", t, language) }

// sayAfter speaks an agent's words and then a text, with one voice.
func sayAfter(words string, t text, language string) twilio.Say {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	in, ok := texts[base]
	if !ok {
		in = texts["en"]
	}
	return twilio.Say{Language: in.locale, Text: strings.TrimSpace(words + " " + in.words[t])}
}

// voices are the further languages that the carrier's standard voice speaks (twilio.com/docs/voice/twiml/say), by the
// part before the region; the first is for other regions.
var voices = map[string][]string{
	"ca": {"ca-ES"}, "da": {"da-DK"}, "en": {"", "en-AU", "en-CA", "en-GB", "en-IN"}, "es": {"es-ES", "es-MX"}, "fr": {"fr-FR", "fr-CA"},
	"ja": {"ja-JP"}, "ko": {"ko-KR"}, "nb": {"nb-NO"}, "no": {"nb-NO"}, "pl": {"pl-PL"}, "pt": {"pt-PT", "pt-BR"}, "ru": {"ru-RU"},
	"zh": {"zh-CN", "zh-HK", "zh-TW"},
}

// localeOf is the voice for an operator's own words in a language, "" when the carrier is not known to have one.
func localeOf(language string) string {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	of := voices[base]
	if i := slices.IndexFunc(of, func(l string) bool { return strings.EqualFold(l, language) }); i >= 0 {
		return of[i]
	}
	if len(of) > 0 {
		return of[0]
	}
	return texts[base].locale
}
