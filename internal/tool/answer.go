package tool

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// answerKind is what a person's words are as the answer to a question for their agreement.
type answerKind int

const (
	unclear answerKind = iota
	yes
	no
)

const (
	longestAnswer = 12 // words of a yes
	longestPhrase = 5
)

// judge reads a person's answer. It is a yes only when it says nothing but that: a condition, a question, a correction,
// a quotation, or a word that is not known here leave it unclear, and then the question is put again. What begins with
// a no, and holds no yes, is a no.
func judge(text string) answerKind {
	text = strings.ToLower(norm.NFC.String(text))
	doubt := strings.ContainsAny(text, "?？؟¿\"“”„«»…>") || strings.Contains(text, "..")
	words := answerWords(text)
	begins, agrees, denies, other := unclear, false, false, len(words) > longestAnswer
	first := true
	for len(words) > 0 {
		phrase, n := longest(words)
		words = words[n:]
		kind := unclear
		switch {
		case yesWords[phrase]:
			agrees, kind = true, yes
		case noWords[phrase]:
			denies, kind = true, no
		case politeWords[phrase], agrees && deedWords[phrase]:
			continue
		default:
			other = true
		}
		if first {
			begins, first = kind, false
		}
	}
	switch {
	case doubt, agrees && denies:
		return unclear
	case agrees && !other:
		return yes
	case denies && (!other || begins == no):
		return no
	}
	return unclear
}

// longest is the longest known phrase that words begin with, or their first word.
func longest(words []string) (phrase string, n int) {
	for n = min(longestPhrase, len(words)); n > 1; n-- {
		phrase = strings.Join(words[:n], " ")
		if slices.ContainsFunc([]map[string]bool{yesWords, noWords, politeWords, deedWords, openWords}, func(set map[string]bool) bool { return set[phrase] }) {
			return phrase, n
		}
	}
	return words[0], 1
}

// answerWords are the words of a text in lower case. Apostrophes join: "don't" is one word. Signs that people answer
// with are words.
func answerWords(text string) []string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\'' || r == '’' || r == '‘' || r == 'ʼ':
		case strings.ContainsRune("👍👎✅❌", r):
			b.WriteString(" " + string(r) + " ")
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r) && r != '\uFE0F':
			b.WriteRune(r)
		case r == '🏻', r == '🏼', r == '🏽', r == '🏾', r == '🏿': // a hand's color
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

func phrases(list string) map[string]bool {
	set := map[string]bool{}
	for phrase := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
		if words := answerWords(phrase); len(words) > 0 {
			set[strings.Join(words, " ")] = true
		}
	}
	return set
}

// asks reports whether an agent's words put a question.
func asks(text string) bool { return strings.ContainsAny(text, "?？؟") }

// A phrase belongs here when it can hardly mean anything else in any of the languages: one agent speaks with people of
// several. What is a yes in one and something else in another ("jo", "tak", "no" + "problem") is left out, or open.

// yesWords agree.
var yesWords = phrases(`
	yes|yeah|yep|yup|yea|aye|y|ok|okay|okey|sure|sure thing|certainly|absolutely|definitely|of course|correct|thats correct|that is correct
	right|thats right|that is right|alright|all right|fine|thats fine|that is fine|thats ok|thats okay|sounds good|go ahead|go for it|do it|please do
	please go ahead|i agree|agreed|i confirm|confirm|confirmed|i do|yes i do|perfect|exactly|by all means|👍|✅
	ja|jawohl|jo klar|jep|jup|klar|na klar|aber klar|ja klar|gern|gerne|ja gerne|sehr gerne|genau|stimmt|das stimmt|richtig|das ist richtig|einverstanden
	in ordnung|ist in ordnung|natürlich|selbstverständlich|auf jeden fall|passt|das passt|mach das|machen sie das|tun sie das|bestätigt|ich bestätige|ich stimme zu|ja bitte|bitte machen sie das
	sí|si|si claro|sí claro|claro|claro que sí|claro que si|por supuesto|de acuerdo|estoy de acuerdo|vale|correcto|exacto|adelante|hágalo|hazlo|confirmo|confirmado|desde luego|está bien|perfecto|así es
	oui|ouais|bien sûr|daccord|je suis daccord|daccord oui|tout à fait|absolument|certainement|exactement|cest ça|cest bon|cest correct|allez y|vas y|volontiers|je confirme|confirmé|ça marche|entendu|parfait
	kyllä|joo|juu|jep jep|kyllä vain|totta kai|tottakai|selvä|sopii|se sopii|hyvä on|aivan|niin|oikein|pitää paikkansa|tehdään niin|tee se|tee niin|tehkää niin|vahvistan|suostun|olen samaa mieltä|okei|ilman muuta|toki
	sì|sì certo|si certo|certo|certamente|certo che sì|va bene|daccordo|sono daccordo|esatto|giusto|corretto|assolutamente sì|proceda|procedi|faccia pure|fallo|lo faccia|confermo|confermato|ovviamente|senzaltro|perfetto
	jazeker|zeker|zeker weten|natuurlijk|akkoord|ik ga akkoord|klopt|dat klopt|goed|dat is goed|is goed|prima|graag|ja graag|doe maar|doe dat|juist|precies|oké|in orde|dat is in orde|ik bevestig|bevestigd|uiteraard
	sim|claro que sim|com certeza|certo|está certo|está bem|tá bom|tá bem|pode ser|pode|de acordo|concordo|correto|exatamente|confirmo|faça isso|faz isso|pode fazer|isso mesmo|combinado|perfeito
	javisst|ja visst|visst|absolut|självklart|naturligtvis|gärna|ja gärna|ja tack|okej|stämmer|det stämmer|precis|det går bra|gör det|jag bekräftar|bekräftat|jag håller med|det är rätt|japp|jajamän|jodå
	ja takk|ja tak|selvfølgelig|det stemmer|det er riktig|det er rigtigt`)

// noWords refuse.
var noWords = phrases(`
	no|nope|nah|n|no thanks|no thank you|no way|not now|not really|not today|never|never mind|nevermind|dont|dont do it|dont do that|do not|do not do it|please dont|id rather not
	i dont want to|i dont want that|i dont agree|i disagree|absolutely not|certainly not|of course not|definitely not|not at all|negative|thats wrong|that is wrong|not correct|thats not right|incorrect|not ok|not okay|👎|❌
	nein|nee|nö|ne danke|nein danke|auf keinen fall|keinesfalls|lieber nicht|bitte nicht|nicht|das nicht|jetzt nicht|niemals|das stimmt nicht|stimmt nicht|falsch|das ist falsch|nicht richtig|nicht einverstanden|natürlich nicht|ich will nicht|das möchte ich nicht|ich möchte das nicht
	no gracias|no quiero|ahora no|todavía no|para nada|de ninguna manera|claro que no|mejor no|por supuesto que no|no estoy de acuerdo|no lo haga|no lo hagas|nunca|incorrecto|no es correcto|en absoluto
	non|non merci|pas maintenant|pas du tout|surtout pas|jamais|bien sûr que non|certainement pas|je ne veux pas|je refuse|pas daccord|je ne suis pas daccord|ce nest pas correct|cest faux|absolument pas|mieux vaut pas
	ei|ei kiitos|en halua|ei nyt|ei missään nimessä|ei todellakaan|älä|älkää|älä tee|älä tee sitä|en suostu|ei sovi|ei käy|ei pidä paikkaansa|väärin|ei tietenkään|ei ole oikein
	no grazie|non voglio|non ora|non adesso|assolutamente no|certo che no|per niente|meglio di no|non sono daccordo|non lo faccia|non farlo|mai|sbagliato|non va bene
	nee dank je|nee dank u|nee bedankt|liever niet|niet|niet nu|niet doen|doe maar niet|zeker niet|absoluut niet|natuurlijk niet|ik wil niet|dat wil ik niet|klopt niet|dat klopt niet|nooit|niet akkoord
	não|não obrigado|não obrigada|agora não|claro que não|de jeito nenhum|de modo nenhum|não quero|melhor não|não concordo|não faça|não faça isso|está errado|errado
	nej|nej tack|nej tak|inte|inte nu|absolut inte|verkligen inte|självklart inte|helst inte|gör det inte|jag vill inte|stämmer inte|det stämmer inte|aldrig|fel|det är fel
	nei|nei takk|ikke|ikke nå|ikke nu`)

// politeWords say nothing by themselves.
var politeWords = phrases(`
	please|thanks|thank you|thank you very much|thanks a lot|many thanks|oh|ah|well|um|uh|hm|hmm|er|so|sir|madam|maam|great|good|very good|nice|cool|wonderful|sorry
	bitte|bitte schön|bitte sehr|danke|danke schön|vielen dank|danke sehr|ach|also|äh|ähm|na|gut|sehr gut|super|prima danke|schön|toll
	por favor|gracias|muchas gracias|bueno|pues|ay|eh|señor|señora|muy bien|bien|genial
	sil vous plaît|sil te plaît|svp|stp|merci|merci beaucoup|ben|euh|eh bien|bon|monsieur|madame|très bien|super
	kiitos|kiitos paljon|no niin|hyvä|niin no|öö|hienoa|mahtavaa|ole hyvä|olkaa hyvä
	per favore|per piacere|grazie|grazie mille|allora|beh|ecco|bene|molto bene|ottimo|prego
	alstublieft|alsjeblieft|dank u|dank je|dank u wel|dank je wel|bedankt|nou|hoor|fijn|mooi
	obrigado|obrigada|muito obrigado|muito obrigada|bem|muito bem|ótimo|então|pois
	tack|tack så mycket|snälla|bra|jättebra|fint|vad bra|takk|tak`)

// deedWords may follow a yes: they tell the agent to do what it asked about, without saying anything else.
var deedWords = phrases(`
	it|this|that|them|me|now|for me|i|am|is|want|want it|want that|you can|you may|go|do|do so|do that|cancel|book|order|send|delete|remove|change|pay|buy|reserve|save|submit|proceed|continue
	das|es|ihn|sie|mir|jetzt|für mich|mach|machen|tun|stornieren|stornieren sie|buchen|buchen sie|bestellen|bestellen sie|senden|senden sie|löschen|löschen sie|ändern|ändern sie|fortfahren|mach es|machen sie es|kündigen
	eso|esto|lo|ahora|cancele|cancela|cancelelo|cancélelo|cancélalo|reserve|reserva|resérvelo|envíe|envía|envíelo|borre|cambie|cámbielo|hágalo ya|continúe
	le|la|ça|cela|maintenant|annulez|annule|annulez la|annulez le|réservez|réserve|envoyez|envoie|supprimez|changez|continuez|faites le|faites
	se|sen|nyt|peru|peruuta|peruuttakaa|varaa|varatkaa|tilaa|tilatkaa|lähetä|lähettäkää|poista|muuta|jatka
	adesso|annulli|annulla|lo annulli|la annulli|prenoti|prenota|invii|invia|cancelli|cancella|cambi|continui|quello|questo
	het|dat|nu|annuleer|annuleren|annuleer het|boek|boeken|bestel|bestellen|verstuur|stuur|verwijder|wijzig|ga door
	isso|agora|cancele|cancela|pode cancelar|reserve|reservar|pode reservar|envie|enviar|apague|mude|continue|pode continuar
	det|den|nu|avboka|avbeställ|boka|beställ|skicka|ta bort|ändra|fortsätt`)

// openWords begin like a yes or a no, or hold one, and are neither.
var openWords = phrases(`
	no problem|no worries|no doubt|no idea|why not|yes and no|yes or no|not yet|kein problem|keine ahnung|kein ding|ja und nein|ja oder nein|jein|warum nicht|noch nicht
	no hay problema|ningún problema|sí y no|sí o no|por qué no|no sé|no lo sé|pas de problème|oui et non|oui ou non|pourquoi pas|je ne sais pas|pas encore
	ei ongelmaa|en tiedä|ei haittaa|kyllä tai ei|ei vielä|miksi ei|nessun problema|sì e no|sì o no|perché no|non so|non lo so|non ancora
	geen probleem|ja en nee|ja of nee|waarom niet|nog niet|geen idee|sem problema|não sei|sim e não|sim ou não|por que não|ainda não
	inga problem|ja och nej|ja eller nej|varför inte|vet inte|jag vet inte|inte än|no se|not sure|im not sure|i dont know|dont know|weiß nicht|ich weiß nicht|nicht sicher`)
