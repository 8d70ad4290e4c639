package number

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"parley"
)

// Problem says what is wrong with a text that should be a phone number in E.164 form, and how to write it where
// that can be told; "" when it is one. known are numbers of the same organization: a national number is most likely
// one of their countries.
func Problem(text string, known []string) string {
	if parley.IsE164(text) {
		return ""
	}
	const form = "must be a phone number in E.164 form such as +358401234567"
	digits := phonenumbers.NormalizeDigitsOnly(text)
	if len(text) > 64 || len(digits) < 3 {
		return form + "."
	}
	if strings.HasPrefix(strings.TrimSpace(text), "+") {
		if whole := "+" + digits; valid(whole) {
			return form + ": only + and digits. Write " + whole + "."
		}
		return form + ": + and the country code, then at most 15 digits in all, without spaces or signs."
	}
	for _, prefix := range []string{"00", "011", ""} { // of calls abroad
		if rest, ok := strings.CutPrefix(digits, prefix); ok && valid("+"+rest) {
			return form + ": it begins with +. Write +" + rest + "."
		}
	}
	return form + ": it begins with + and the country code." + nationalHint(digits, regions(known))
}

// maxGuesses bounds how many countries a hint names.
const maxGuesses = 3

// nationalHint says how to write a national number, when there are few countries whose number it could be.
func nationalHint(digits string, likely []string) string {
	var all, first []string
	for region := range phonenumbers.GetSupportedRegions() {
		n, err := phonenumbers.Parse(digits, region)
		if err != nil || !phonenumbers.IsValidNumberForRegion(n, region) ||
			phonenumbers.NormalizeDigitsOnly(phonenumbers.Format(n, phonenumbers.NATIONAL)) != digits {
			continue
		}
		all = append(all, region)
		if slices.Contains(likely, region) {
			first = append(first, region)
		}
	}
	if len(first) > 0 {
		all = first
	}
	if len(all) == 0 || len(all) > maxGuesses {
		return ""
	}
	slices.Sort(all)
	hints := make([]string, len(all))
	for i, region := range all {
		n, err := phonenumbers.Parse(digits, region)
		if err != nil {
			return ""
		}
		hints[i] = phonenumbers.Format(n, phonenumbers.E164) + " for " + country(region)
	}
	return " It looks like a national number: write " + strings.Join(hints, ", or ") + "."
}

// Doubt says why no phone is likely to have a number in E.164 form; "" when there is nothing odd about it. The
// library's metadata is older than the countries' numbering plans, so this is for a warning.
func Doubt(e164 string) string {
	n, err := phonenumbers.Parse(e164, "")
	switch {
	case err != nil:
		return "No country has its beginning."
	case phonenumbers.IsValidNumber(n):
		return ""
	}
	where := ""
	if region := phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode())); len(region) == 2 && region != "ZZ" {
		where = " of " + country(region)
	}
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "It is too short for a number" + where + "."
	case phonenumbers.TOO_LONG:
		return "It is too long for a number" + where + "."
	}
	return "It does not look like a number" + where + " that is in use."
}

func valid(e164 string) bool {
	if !parley.IsE164(e164) {
		return false
	}
	n, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.IsValidNumber(n)
}

// regions are the countries of numbers.
func regions(numbers []string) (out []string) {
	for _, e164 := range numbers {
		if n, err := phonenumbers.Parse(e164, ""); err == nil {
			if r := phonenumbers.GetRegionCodeForNumber(n); r != "" && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

func country(region string) string {
	r, err := language.ParseRegion(region)
	if err != nil {
		return region
	}
	name := display.English.Regions().Name(r)
	if strings.HasPrefix(name, "United ") || name == "Netherlands" || name == "Philippines" {
		return "the " + name
	}
	return name
}
