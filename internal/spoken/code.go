package spoken

import (
	"regexp"
	"strings"
)

// customerNumber reads any code of letters and digits: of a customer, an order, a contract, a license plate.
func (r *reader) customerNumber(tokens []token) {
	value := r.code(tokens, true)
	r.out.Value, r.out.Valid = value, value != "" && strings.ContainsAny(value, "0123456789") && len(value) <= 64
	if value == "" {
		r.ask("No number was understood. Ask for it character by character.")
		return
	}
	if !r.out.Valid {
		r.ask("There is no digit in it. Ask for it character by character.")
	}
	r.out.ReadBack, r.out.SpellOut = r.letters(value, 3), r.spellOut(value)
}

// code joins letters and digits, upper case; signs only where they are wanted.
func (r *reader) code(tokens []token, signs bool) string {
	var b strings.Builder
	units := r.units(tokens)
	letters := 0
	for _, u := range units {
		if u.kind == aLetter && u.text != "o" {
			letters++
		}
	}
	for i, u := range units {
		switch {
		case u.kind == spelling, u.kind == aSign && !signs:
		case u.kind == aLetter && u.text == "o":
			beside := i > 0 && units[i-1].kind == someDigits || i+1 < len(units) && units[i+1].kind == someDigits
			if beside && u.word == "" {
				r.ask("Is it the letter O or the digit 0?")
			}
			if beside && u.word == "" && letters == 0 {
				b.WriteByte('0')
				continue
			}
			b.WriteByte('O')
		case u.kind == aWord:
			if short := len(u.text) <= 4 && strings.ToUpper(u.text) == u.text; !short {
				r.ask("“" + u.text + "” was taken as it is. Ask how it is spelled.")
			}
			b.WriteString(strings.ToUpper(u.text))
		default:
			b.WriteString(strings.ToUpper(u.text))
		}
	}
	return strings.Trim(b.String(), "-./_")
}

// postalForms are the codes of countries: what they look like without spaces, and where the space belongs, from the end.
var postalForms = map[string]struct {
	form  *regexp.Regexp
	space int
	sign  string
}{
	"AT": {regexp.MustCompile(`^[0-9]{4}$`), 0, ""}, "AU": {regexp.MustCompile(`^[0-9]{4}$`), 0, ""}, "BE": {regexp.MustCompile(`^[0-9]{4}$`), 0, ""},
	"CA": {regexp.MustCompile(`^[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z][0-9][ABCEGHJ-NPRSTV-Z][0-9]$`), 3, " "},
	"CH": {regexp.MustCompile(`^[0-9]{4}$`), 0, ""}, "CZ": {regexp.MustCompile(`^[0-9]{5}$`), 2, " "}, "DE": {regexp.MustCompile(`^[0-9]{5}$`), 0, ""},
	"DK": {regexp.MustCompile(`^[0-9]{4}$`), 0, ""}, "ES": {regexp.MustCompile(`^[0-9]{5}$`), 0, ""}, "FI": {regexp.MustCompile(`^[0-9]{5}$`), 0, ""},
	"FR": {regexp.MustCompile(`^[0-9]{5}$`), 0, ""}, "GB": {regexp.MustCompile(`^[A-Z]{1,2}[0-9][0-9A-Z]?[0-9][A-Z]{2}$`), 3, " "},
	"IT": {regexp.MustCompile(`^[0-9]{5}$`), 0, ""}, "MX": {regexp.MustCompile(`^[0-9]{5}$`), 0, ""}, "NL": {regexp.MustCompile(`^[1-9][0-9]{3}[A-Z]{2}$`), 2, " "},
	"NO": {regexp.MustCompile(`^[0-9]{4}$`), 0, ""}, "PL": {regexp.MustCompile(`^[0-9]{5}$`), 3, "-"}, "PT": {regexp.MustCompile(`^[0-9]{7}$`), 3, "-"},
	"SE": {regexp.MustCompile(`^[0-9]{5}$`), 2, " "}, "US": {regexp.MustCompile(`^[0-9]{5}([0-9]{4})?$`), 4, "-"},
}

var anyPostal = regexp.MustCompile(`^[A-Z0-9]{3,10}$`)

// postalCode reads a postal code; with a country, in that country's form.
func (r *reader) postalCode(tokens []token) {
	value := r.code(tokens, false)
	country := r.Country
	if country == "" {
		country = r.words.region
	}
	form, known := postalForms[country]
	r.out.Value = value
	switch {
	case value == "":
		r.ask("No postal code was understood. Ask for it character by character.")
		return
	case !known:
		r.out.Valid = anyPostal.MatchString(value)
	default:
		r.out.Valid = form.form.MatchString(value)
		if r.out.Valid && form.sign != "" && (country != "US" || len(value) > 5) {
			r.out.Value = value[:len(value)-form.space] + form.sign + value[len(value)-form.space:]
		}
	}
	if !r.out.Valid && known {
		r.ask("Postal codes of " + country + " look different. Ask for it character by character, or for the country.")
	} else if !r.out.Valid {
		r.ask("It does not look like a postal code. Ask for it character by character.")
	}
	r.out.ReadBack, r.out.SpellOut = r.letters(value, 3), r.spellOut(value)
}
