package spoken

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// phone reads a telephone number into E.164.
func (r *reader) phone(tokens []token) {
	digits, extension := r.dialed(tokens)
	if digits == "" {
		r.ask("No number was understood. Ask for it digit by digit.")
		return
	}
	region := r.Country
	if region == "" {
		region = r.words.region
	}
	plus := strings.HasPrefix(digits, "+")
	if !plus && region == "" && !strings.HasPrefix(digits, "00") {
		r.ask("Which country is the number in? Ask for it, or for the country code.")
	}
	if !plus && region == "" && strings.HasPrefix(digits, "00") {
		digits, plus = "+"+digits[2:], true
	}
	n, err := phonenumbers.Parse(digits, region)
	if err != nil {
		r.out.ReadBack = r.letters(digits, 3)
		r.ask("“" + digits + "” is not a telephone number as it stands. Ask for it digit by digit.")
		return
	}
	if !plus && r.Country == "" && !strings.HasPrefix(digits, "00") {
		r.ask("The country was not said: " + region + " is assumed.")
	}
	r.out.Value = phonenumbers.Format(n, phonenumbers.E164)
	r.out.Valid = phonenumbers.IsValidNumber(n)
	if !r.out.Valid {
		switch phonenumbers.IsPossibleNumberWithReason(n) {
		case phonenumbers.TOO_SHORT:
			r.ask("The number is too short: digits are missing.")
		case phonenumbers.TOO_LONG:
			r.ask("The number is too long: it has more digits than numbers of this country have.")
		default:
			r.ask("There are no such numbers in this country. Ask for it digit by digit.")
		}
	}
	var groups []string
	for _, g := range strings.FieldsFunc(phonenumbers.Format(n, phonenumbers.INTERNATIONAL), func(c rune) bool { return c < '0' || c > '9' }) {
		groups = append(groups, strings.Join(strings.Split(g, ""), " "))
	}
	r.out.ReadBack = r.words.signs["+"] + " " + strings.Join(groups, ", ")
	if extension != "" {
		r.out.Value += ";ext=" + extension
		r.out.ReadBack += ", ext. " + strings.Join(strings.Split(extension, ""), " ")
	}
}

// extensions are the words before an extension.
var extensions = phrases("extension,ext,x,durchwahl,nebenstelle,extensión,poste,alanumero")

// dialed returns the digits of a number, with its plus, and those of its extension.
func (r *reader) dialed(tokens []token) (digits, extension string) {
	var b, ext strings.Builder
	into := &b
	for _, u := range r.units(tokens) {
		switch {
		case u.kind == someDigits:
			into.WriteString(u.text)
		case u.kind == aSign && u.text == "+" && b.Len() == 0:
			b.WriteByte('+')
		case u.kind == aSign:
		case u.kind == aLetter && u.text == "o":
			into.WriteByte('0')
		case b.Len() > 0 && contains(extensions, fold(u.text)):
			into = &ext
		case u.kind == aLetter:
			r.ask("“" + strings.ToUpper(u.text) + "” is not a digit. Ask again for the digits around it.")
		case b.Len() > 0:
			r.ask("“" + u.text + "” was not understood. Ask again for the digits around it.")
		}
	}
	return b.String(), ext.String()
}

func contains(list []string, s string) bool { return among(list)(s) }
