// Package spoken reads what people spell aloud: e-mail addresses, names, telephone numbers, postal codes, customer
// numbers and dates, as a speech model wrote them down ("j o h n dot smith at gmail dot com", "double t", "S as in
// Sierra", "Berta", "null vier zwo"), in English, German, Spanish, French and Finnish.
//
// It knows no conversation and keeps nothing. What it cannot tell it asks about: it never makes a guess look sure.
package spoken

import (
	"slices"
	"strings"
	"time"
)

// Kind is what was asked for.
type Kind string

// The kinds.
const (
	Email          Kind = "email"
	Name           Kind = "name"
	Phone          Kind = "phone"
	PostalCode     Kind = "postal_code"
	CustomerNumber Kind = "customer_number" // any code of letters and digits
	Date           Kind = "date"
)

// Kinds are all of them.
var Kinds = []Kind{Email, Name, Phone, PostalCode, CustomerNumber, Date}

// Languages are those whose words for letters, digits and signs are known.
var Languages = []string{"en", "de", "es", "fr", "fi"}

// MaxHeard bounds what is read, in bytes.
const MaxHeard = 1_000

// Question is what somebody said.
type Question struct {
	Kind     Kind
	Heard    string
	Language string    // one of Languages; "" or another one = found out from the words
	Country  string    // ISO 3166-1 alpha-2, upper case, for numbers and codes without one; "" = not known
	Now      time.Time // for dates with two digits of a year
}

// Reading is what was understood.
type Reading struct {
	Value    string   // normalized; "" when there is nothing usable
	Valid    bool     // Value has the form that its kind must have
	ReadBack string   // to be spoken, letter by letter and in groups
	SpellOut string   // with the words of a spelling alphabet; "" where there are no letters
	Unclear  []string // what to ask the person about
}

// Read understands what was heard. It is safe for concurrent use.
func Read(q Question) Reading {
	heard := q.Heard
	if len(heard) > MaxHeard {
		return Reading{Unclear: []string{"It is too long. Ask for one value at a time."}}
	}
	tokens := tokenize(heard)
	if len(tokens) == 0 {
		return Reading{Unclear: []string{"Nothing was heard. Ask the person to say it again."}}
	}
	r := reader{Question: q, words: languageOf(q.Language, tokens)}
	switch q.Kind {
	case Email:
		r.email(tokens)
	case Name:
		r.name(tokens)
	case Phone:
		r.phone(tokens)
	case PostalCode:
		r.postalCode(tokens)
	case Date:
		r.date(tokens)
	default:
		r.customerNumber(tokens)
	}
	return r.out
}

// reader is one reading under way.
type reader struct {
	Question
	words *language
	out   Reading
}

// ask notes something unclear, once.
func (r *reader) ask(question string) {
	if !slices.Contains(r.out.Unclear, question) {
		r.out.Unclear = append(r.out.Unclear, question)
	}
}

// letters writes text to be spoken: its characters one by one in groups of about size, signs as words.
func (r *reader) letters(text string, size int) string {
	var groups, run []string
	end := func() {
		for n := (len(run) + size - 2) / size; n > 0; n-- { // groups left; one more character than size is still one
			length := (len(run) + n - 1) / n
			groups, run = append(groups, strings.Join(run[:length], " ")), run[length:]
		}
		if len(run) > 0 {
			groups = append(groups, strings.Join(run, " "))
		}
		run = nil
	}
	for _, c := range text {
		if word, ok := r.words.signs[string(c)]; ok {
			end()
			groups = append(groups, word)
			continue
		}
		run = append(run, strings.ToUpper(string(c)))
	}
	end()
	return strings.Join(groups, ", ")
}

// spellOut writes text with the words of the language's spelling alphabet.
func (r *reader) spellOut(text string) string {
	var words []string
	letters := false
	for _, c := range strings.ToLower(text) {
		word, ok := r.words.alphabet[c]
		letters = letters || ok
		if !ok {
			word, ok = r.words.signs[string(c)]
		}
		if !ok {
			word = strings.ToUpper(string(c))
		}
		words = append(words, word)
	}
	if !letters {
		return ""
	}
	return strings.Join(words, ", ")
}
