package spoken

import (
	"strings"
	"unicode"
)

// name reads the name of a person or a company. Words stay as they were heard; a spelled word replaces the one before
// it that it spells.
func (r *reader) name(tokens []token) {
	units := r.units(tokens)
	var words []string
	spelledWords := map[int]bool{}
	attach, replaces := false, false // the next one belongs to the last word; it spells it
	put := func(s string, spelled, glued bool) {
		last := len(words) - 1
		switch {
		case attach || glued && last >= 0 && !spelled:
			words[last] += s
		case last >= 0 && spelled && (replaces || spells(s, words[last])):
			words[last] = s
			spelledWords[last] = true
		default:
			words = append(words, s)
			spelledWords[len(words)-1] = spelled
		}
		attach, replaces = false, false
	}
	for i := 0; i < len(units); {
		u := units[i]
		i++
		switch u.kind {
		case spelling:
			replaces = true
		case aSign:
			if len(words) > 0 && i < len(units) && (u.text == "-" || u.text == "'" || u.text == "." || u.text == "&") {
				words[len(words)-1] += u.text
				attach = true
			}
		case aLetter:
			run := u.text
			for i < len(units) && units[i].kind == aLetter {
				run += units[i].text
				i++
			}
			if n := len([]rune(run)); n > 2 || n == 2 && len(units) == 2 || replaces {
				put(title(run), true, false)
				continue
			}
			for _, c := range run { // initials
				put(strings.ToUpper(string(c)), false, u.glued)
			}
		case someDigits:
			put(u.text, false, u.glued)
			r.ask("Is “" + u.text + "” part of the name?")
		default:
			put(named(u.text, words), false, u.glued)
		}
	}
	r.out.Value = strings.Join(words, " ")
	r.out.Valid = r.out.Value != "" && len([]rune(r.out.Value)) <= 200
	if !r.out.Valid {
		r.out.Value = ""
		r.ask("No name was understood. Ask the person to spell it.")
		return
	}
	var said, out, unsure []string
	for i, w := range words {
		said = append(said, w+": "+r.letters(w, 4))
		out = append(out, r.spellOut(w))
		if !spelledWords[i] && len([]rune(w)) > 1 && (len(words) == 1 || !particle(w)) {
			unsure = append(unsure, w)
		}
	}
	if len(unsure) > 0 {
		r.ask("Not spelled: " + strings.Join(unsure, ", ") + ". Ask for the spelling if it has to be exact.")
	}
	r.out.ReadBack = strings.Join(said, "; ")
	r.out.SpellOut = strings.Join(out, "; ")
}

// named writes a word as names are written, when it was heard without any capital and is no particle inside a name.
func named(word string, before []string) string {
	if strings.ToLower(word) != word || len(before) > 0 && particle(word) {
		return word
	}
	return title(word)
}

func particle(word string) bool {
	return strings.Contains(" de da di du del della van der den von zu la le y af av ", " "+word+" ")
}

func title(s string) string {
	runes := []rune(strings.ToLower(s))
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}

// spells reports whether a spelled word is likely to be the word before it: they differ by little.
func spells(spelled, word string) bool {
	a, b := []rune(fold(spelled)), []rune(fold(word))
	if len(a) < 2 || len(b) < 2 || a[0] != b[0] && a[len(a)-1] != b[len(b)-1] {
		return false
	}
	return distance(a, b)*2 <= max(len(a), len(b))
}

// distance is Levenshtein's.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
