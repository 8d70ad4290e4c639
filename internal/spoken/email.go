package spoken

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// familiar are names in addresses that people and voices know as words.
var familiar = strings.Fields("gmail googlemail google yahoo outlook hotmail live msn icloud aol gmx web proton protonmail orange wanadoo free laposte sfr telefonica movistar terra " +
	"freenet arcor luukku elisa suomi kolumbus yandex zoho fastmail example com org net edu gov info biz app dev online shop")

// email reads an address. Its case is dropped: no provider tells two by it.
func (r *reader) email(tokens []token) {
	units := r.units(tokens)
	at := -1
	for i, u := range units {
		if u.kind == aSign && u.text == "@" {
			if at >= 0 {
				r.ask("There is more than one “at”. Ask for the part before it, then for the part after it.")
			}
			at = i
		}
	}
	if at < 0 {
		r.ask("There is no “at”. Ask for the part before it, then for the part after it.")
		at = len(units)
	}
	local, domain := r.part(units[:at], true), ""
	if at < len(units) {
		domain = r.part(units[at+1:], false)
	}
	r.out.Value = local + "@" + domain
	r.judgeEmail(local, domain)
	r.out.ReadBack = r.letters(local, 4)
	r.out.SpellOut = r.spellOut(local)
	if domain != "" {
		labels := strings.Split(domain, ".")
		said := make([]string, len(labels))
		for i, label := range labels {
			if said[i] = label; !slices.Contains(familiar, label) {
				said[i] = r.letters(label, 4)
			}
		}
		if local != "" {
			r.out.ReadBack += ", "
		}
		r.out.ReadBack += r.words.signs["@"] + ", " + strings.Join(said, ", "+r.words.signs["."]+", ")
	}
	if local == "" || domain == "" {
		r.out.Value = ""
	}
}

// part joins what was said on one side of the at.
func (r *reader) part(units []unit, local bool) string {
	var b strings.Builder
	for i, u := range units {
		if local && i > 0 && u.kind == aWord && units[i-1].kind == aWord && !u.glued {
			r.ask("“" + units[i-1].text + " " + u.text + "”: one word, or something between them?")
		}
		b.WriteString(strings.ToLower(u.text))
	}
	return b.String()
}

func (r *reader) judgeEmail(local, domain string) {
	problems := len(r.out.Unclear)
	if local == "" || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") || len(local) > 64 {
		r.ask("The part before the at is not complete.")
	}
	for _, c := range local {
		if c > 0x7f {
			r.ask("“" + string(c) + "” is unusual in an address. Ask how it is written.")
		} else if c != '@' && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._-+'/&#", c) {
			r.ask("“" + string(c) + "” is not possible in an address.")
		}
	}
	suffix, known := publicsuffix.PublicSuffix(domain)
	switch {
	case domain == "":
		r.ask("The part after the at is missing.")
	case !isHost(domain):
		r.ask("“" + domain + "” is not a complete domain. Ask for the part after the at, with its ending such as .com.")
	case !known:
		r.ask("There is no ending “." + suffix + "”. Ask for it.")
	case domain == suffix:
		r.ask("“" + domain + "” is only an ending. Ask for the part after the at.")
	}
	r.out.Valid = local != "" && !strings.Contains(local, "@") && len(r.out.Unclear) == problems
}

// isHost reports whether s is a name with at least two labels of ASCII letters, digits and hyphens.
func isHost(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(labels) >= 2 && len(s) <= 253
}
