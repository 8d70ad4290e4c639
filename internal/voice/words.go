package voice

import (
	"slices"
	"strings"
	"unicode"
)

// nods are what listeners say to show that they listen, in the languages that callers of one agent may mix. What is
// an answer as well ("yes", "ja", "oui") is none: then the agent stops.
var nods = phrases(`
	uh huh|uhhuh|uh hum|um hum|um hmm|uh|um|mhm|mm hmm|mmhmm|mm hm|mm|mmm|hm|hmm|hum|huh|ah|aha|ah ha|oh|ooh|wow|ha|haha|ha ha|er|eh
	okay|ok|okey|okay then|k|right|alright|all right|yeah|yep|yup|sure|of course|i see|got it|gotcha|cool|nice|great|good|fine|exactly|true|really|thanks|thank you|thank you very much
	genau|ach so|achso|alles klar|klar|verstehe|richtig|stimmt|gut|danke|aha|okay gut
	ajá|vale|claro|ya|bueno|entiendo|bien|gracias|de acuerdo|ya veo
	d accord|ouais|ah bon|voilà|bien sûr|je vois|très bien|ah oui|merci|hein
	joo|niin|aivan|okei|selvä|hyvä|no niin|just|juu|aha|kiitos
	jaha|jaså|just det|precis|okej|visst|mm hmm|förstår|bra|tack
	oké|precies|goed|va bene|certo|capito|tá|tá bom|certo|claro|うん|ええ|はい はい|嗯|好的`)

// hellos are what people say into a greeting: it is not what they called to say.
var hellos = phrases(`hello|hi|hey|good morning|good afternoon|good evening|hallo|guten tag|guten morgen|hola|buenos días|buenas|
	bonjour|allô|moi|hei|terve|päivää|hej|hejsan|tjena|god dag|ciao|pronto|olá|もしもし|喂|你好`)

// commands are short answers and orders. A transcriber hardly invents them, so less of a voice needs to be in the
// sound: half of "stop" is hissed.
var commands = phrases(`
	no|nope|stop|wait|yes|hold on|hang on|one moment|just a moment|one second|stop it|no no|no no no|wait wait|excuse me|quiet|enough|hello
	nein|stopp|halt|warte|warten sie|ja|moment|moment mal|genug
	sí|si|espera|espere|para|pare|alto|basta|un momento|perdón
	non|arrête|arrêtez|attends|attendez|oui|un instant|pardon|stop
	ei|seis|odota|odottakaa|kyllä|hetki|hetkinen|lopeta|anteeksi
	nej|vänta|stanna|ja|ett ögonblick|ursäkta|sluta
	sì|aspetta|aspetti|basta|fermo|fermi|un attimo|scusi
	nee|wacht|ja|moment|não|espere|sim|pare
	いいえ|待って|ちょっと待って|はい|やめて|不|停|等一下|是`)

// guesses are what transcribers invent for sounds without words. Who really says one of them is answered when the
// agent has ended.
var guesses = phrases(`you|bye|bye bye|goodbye|the|so|and|i|thanks for watching|thank you for watching|tschüss|ciao|adiós|au revoir|hei hei|hej då`)

// longestPhrase is the number of words of the longest phrase above.
const longestPhrase = 4

func phrases(list string) map[string]bool {
	out := map[string]bool{}
	for phrase := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
		if words := plainWords(phrase); len(words) > 0 {
			out[strings.Join(words, " ")] = true
		}
	}
	return out
}

// plainWords are the words of a transcript in lower case, without punctuation and without what transcribers put
// into brackets or stars: "[laughter]", "*cough*".
func plainWords(text string) []string {
	var b strings.Builder
	closing := rune(0)
	for _, r := range text {
		switch {
		case closing != 0:
			if r == closing {
				closing = 0
			}
		case r == '[':
			closing = ']'
		case r == '(':
			closing = ')'
		case r == '*':
			closing = '*'
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return strings.FieldsFunc(b.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) })
}

// onlyOf reports whether words are nothing but phrases of the sets. A long row of them is a message again.
func onlyOf(words []string, sets ...map[string]bool) bool {
	if len(words) > 8 {
		return false
	}
	for len(words) > 0 {
		n := min(longestPhrase, len(words))
		for ; n > 0; n-- {
			phrase := strings.Join(words[:n], " ")
			if slices.ContainsFunc(sets, func(set map[string]bool) bool { return set[phrase] }) {
				break
			}
		}
		if n == 0 {
			return false
		}
		words = words[n:]
	}
	return true
}

// repeats reports whether words were said in this order in text, one after another.
func repeats(words []string, text string) bool {
	said := plainWords(text)
	for i := 0; i+len(words) <= len(said); i++ {
		if slices.Equal(words, said[i:i+len(words)]) {
			return len(words) > 0
		}
	}
	return false
}
