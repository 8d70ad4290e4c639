package spoken

import (
	"slices"
	"strings"
)

// unit is one thing that was said: a letter, digits, a sign or a word.
type unit struct {
	text  string // of a letter lower case
	word  string // the word that was said for a letter; "" when it was the letter alone
	kind  unitKind
	glued bool // written without a space before it
	exact bool // a letter that cannot be anything else
	group bool // digits that were said as one number of several
}

type unitKind int

const (
	aWord unitKind = iota
	aLetter
	maybeLetter // Berta, em: a letter among letters, otherwise a word
	someDigits
	aSign
	spelling // "spelled": what follows spells the word before
)

// longestPhrase is in tokens.
const longestPhrase = 6

// phrase finds the longest phrase that begins with the first token and that look knows. Joints are passed over.
func phrase(tokens []token, look func(string) bool) (key string, n int) {
	var b strings.Builder
	words := 0
	for i, t := range tokens {
		if t.joint && i > 0 {
			continue
		}
		if words == longestPhrase || i > 0 && t.apart {
			break
		}
		if words++; words > 1 {
			b.WriteByte(' ')
		}
		b.WriteString(t.key)
		if s := b.String(); look(s) {
			key, n = s, i+1
		}
	}
	return key, n
}

// has makes a look-up of a map's keys.
func has[V any](m map[string]V) func(string) bool {
	return func(s string) bool { _, ok := m[s]; return ok }
}

func among(list []string) func(string) bool {
	return func(s string) bool { return slices.Contains(list, s) }
}

// units decodes what was said, for kinds other than dates.
func (r *reader) units(tokens []token) []unit {
	var out []unit
	for i := 0; i < len(tokens); {
		u, n := r.unit(tokens[i:], out)
		out = append(out, u...)
		i += max(n, 1)
	}
	return r.settle(out)
}

// unit decodes what stands first.
func (r *reader) unit(tokens []token, before []unit) ([]unit, int) {
	w, t := r.words, tokens[0]
	if _, n := phrase(tokens, among(w.skipped)); n > 0 {
		return nil, n
	}
	if _, n := phrase(tokens, among(w.spelled)); n > 0 {
		return []unit{{kind: spelling}}, n
	}
	if _, n := phrase(tokens, among(w.cases)); n > 0 && n < len(tokens) && tokens[n].letter() {
		return nil, n
	}
	if _, n := phrase(tokens, among(labels)); n > 0 && n < len(tokens) && (r.Kind == CustomerNumber || r.Kind == PostalCode) {
		return nil, n
	}
	if u, n := r.repeated(tokens, before); n > 0 {
		return u, n
	}
	if u, n := r.example(tokens); n > 0 {
		return u, n
	}
	if key, n := phrase(tokens, has(w.names)); n > 1 {
		return []unit{{kind: aLetter, text: w.names[key], exact: true}}, n
	}
	if key, n := phrase(tokens, has(w.symbols)); n > 0 && r.means(w.symbols[key]) {
		return []unit{{kind: aSign, text: w.symbols[key]}}, n
	}
	if key, n := phrase(tokens, has(w.numbers)); n > 0 && r.Kind != Name {
		return []unit{{kind: someDigits, text: w.numbers[key], group: len(w.numbers[key]) > 1}}, n
	}
	if key, n := phrase(tokens, has(alphabetWords)); n > 1 {
		return []unit{{kind: aLetter, text: alphabetWords[key], word: text(tokens[:n]), exact: true}}, n
	}
	letter, _ := t.asLetter()
	switch {
	case t.digits():
		return []unit{{kind: someDigits, text: t.key, glued: t.glued}}, 1
	case t.joint || !t.letter() && strings.Contains("@._-+/'#&", t.key):
		return []unit{{kind: aSign, text: t.key, glued: t.glued}}, 1
	case letter != "":
		return []unit{{kind: aLetter, text: letter, glued: t.glued, exact: true}}, 1
	}
	if key, n := phrase(tokens, has(alphabetWords)); n > 0 {
		return []unit{{kind: maybeLetter, text: alphabetWords[key], word: text(tokens[:n])}}, n
	}
	if name, ok := w.names[t.key]; ok {
		return []unit{{kind: maybeLetter, text: name, word: t.text, glued: t.glued}}, 1
	}
	return []unit{{kind: aWord, text: t.text, glued: t.glued}}, 1
}

// labels name a code and are no part of it.
var labels = phrases("order number,customer number,account number,order,customer,account,number,code,zip code,zip,postal code,postcode,kundennummer,bestellnummer,auftragsnummer,nummer,postleitzahl,plz," +
	"número de cliente,número de pedido,número,código postal,código,numéro de client,numéro de commande,numéro,code postal,asiakasnumero,tilausnumero,numero,postinumero")

// asLetter returns the letter that a token is, with its accent.
func (t token) asLetter() (string, bool) {
	lower := strings.ToLower(t.text)
	if len([]rune(lower)) == 1 && classOf([]rune(lower)[0]) == alphabetic {
		return lower, true
	}
	return "", false
}

func text(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && !t.glued {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// means reports whether a sign can be part of the kind; in others the word for it is a word.
func (r *reader) means(sign string) bool {
	switch r.Kind {
	case Email:
		return true
	case Name:
		return sign == "-" || sign == "'"
	case Phone:
		return sign == "+"
	}
	return sign != "@"
}

// repeated decodes "double t" and "doppel-t".
func (r *reader) repeated(tokens []token, before []unit) ([]unit, int) {
	w := r.words
	key, n := phrase(tokens, has(w.repeats))
	times := w.repeats[key]
	if n == 0 && w.tag == "fr" && tokens[0].key == "deux" && r.Kind == Name && len(before) > 0 && before[len(before)-1].kind == aLetter {
		n, times = 1, 2 // "m a deux t e o"
	}
	if n == 0 || n == len(tokens) {
		return nil, 0
	}
	if _, longer := phrase(tokens, has(w.names)); longer > n { // double u is a letter
		return nil, 0
	}
	rest := tokens[n:]
	if rest[0].joint {
		rest = rest[1:]
		n++
	}
	if len(rest) == 0 {
		return nil, 0
	}
	if letter, ok := rest[0].asLetter(); ok {
		if u, m := r.example(rest); m > 0 { // double s as in Sierra
			return slices.Repeat(u, times), n + m
		}
		return slices.Repeat([]unit{{kind: aLetter, text: letter, exact: true}}, times), n + 1
	}
	if key, m := phrase(rest, has(w.numbers)); m > 0 && len(w.numbers[key]) == 1 {
		return []unit{{kind: someDigits, text: strings.Repeat(w.numbers[key], times)}}, n + m
	}
	if rest[0].digits() && len(rest[0].key) == 1 {
		return []unit{{kind: someDigits, text: strings.Repeat(rest[0].key, times)}}, n + 1
	}
	if key, m := phrase(rest, has(w.symbols)); m > 0 && key != "" && r.means(w.symbols[key]) {
		return nil, 0
	}
	if key, m := phrase(rest, has(alphabetWords)); m > 0 {
		return slices.Repeat([]unit{{kind: aLetter, text: alphabetWords[key], exact: true}}, times), n + m
	}
	if name, ok := w.names[rest[0].key]; ok {
		return slices.Repeat([]unit{{kind: aLetter, text: name, exact: true}}, times), n + 1
	}
	return nil, 0
}

// example decodes "S as in Sierra". Where letter and example differ, the longer word is more likely to have been
// heard well, and the person is asked.
func (r *reader) example(tokens []token) ([]unit, int) {
	letter, ok := tokens[0].asLetter()
	if !ok || len(tokens) < 3 {
		return nil, 0
	}
	_, n := phrase(tokens[1:], among(r.words.likeness))
	strong := n > 0
	if !strong {
		_, n = phrase(tokens[1:], among(r.words.weak))
	}
	if n == 0 || 1+n >= len(tokens) || classOf([]rune(tokens[1+n].text)[0]) != alphabetic {
		return nil, 0
	}
	word := tokens[1+n]
	first := string([]rune(word.key)[0])
	meant, known := alphabetWords[word.key]
	switch {
	case strong && word.letter() && word.key != fold(letter): // the example was not heard whole
		r.ask("“" + strings.ToUpper(letter) + "” or “" + strings.ToUpper(word.text) + "”?")
		return []unit{{kind: aLetter, text: letter, word: word.text, exact: true}}, n + 2
	case word.letter():
		return nil, 0
	case first == fold(letter) || known && meant == letter:
		return []unit{{kind: aLetter, text: letter, word: word.text, exact: true}}, n + 2
	case !strong:
		return nil, 0
	case known:
		first = meant
	}
	r.ask("“" + strings.ToUpper(letter) + "” or “" + strings.ToUpper(first) + "”? The example was “" + word.text + "”.")
	return []unit{{kind: aLetter, text: first, word: word.text, exact: true}}, n + 2
}

// settle decides which words were letters: all in a run of letters, or three and more together.
func (r *reader) settle(units []unit) []unit {
	out := make([]unit, 0, len(units))
	for i := 0; i < len(units); {
		if units[i].kind != aLetter && units[i].kind != maybeLetter {
			out = append(out, units[i])
			i++
			continue
		}
		end, sure := i, 0
		for end < len(units) && (units[end].kind == aLetter || units[end].kind == maybeLetter) {
			if units[end].exact {
				sure++
			}
			end++
		}
		letters := end-i >= 3 || r.Kind != Name && r.Kind != Email || sure == end-i
		for j, u := range units[i:end] {
			if letters {
				u.kind, u.exact = aLetter, true
			} else if u.kind == maybeLetter {
				u.kind, u.text = aWord, u.word
				if end-i == 2 && j == 0 || sure > 0 {
					r.ask("“" + u.word + "”: the whole word, or only its first letter?")
				}
			}
			out = append(out, u)
		}
		i = end
	}
	return out
}
