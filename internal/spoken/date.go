package spoken

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// datePart is a number or a month of a date.
type datePart struct {
	n       int
	digits  string
	month   bool // said by its name
	ordinal bool
}

// date reads a date of the calendar into ISO 8601.
func (r *reader) date(tokens []token) {
	parts := r.dateParts(tokens)
	year, month, day, ok := r.arrange(parts)
	if !ok {
		r.ask("No complete date was understood. Ask for day, month and year.")
		return
	}
	if year < 100 {
		short := year
		year += r.Now.Year() / 100 * 100
		if year > r.Now.Year()+10 {
			year -= 100
		}
		r.ask(fmt.Sprintf("“%02d” was taken as the year %d.", short, year))
	}
	at := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if at.Day() != day || int(at.Month()) != month || year < 1800 || year > 2200 {
		r.ask(fmt.Sprintf("There is no day %d of month %d in the year %d.", day, month, year))
		return
	}
	r.out.Value, r.out.Valid = at.Format(time.DateOnly), true
	r.out.ReadBack = r.sayDate(year, month, day)
}

// sayDate words a date in the language.
func (r *reader) sayDate(year, month, day int) string {
	name := r.words.monthOf[month-1]
	switch r.words.tag {
	case "de", "fi":
		return fmt.Sprintf("%d. %s %d", day, name, year)
	case "es":
		return fmt.Sprintf("%d de %s de %d", day, name, year)
	case "fr":
		if day == 1 {
			return fmt.Sprintf("1er %s %d", name, year)
		}
		return fmt.Sprintf("%d %s %d", day, name, year)
	}
	return fmt.Sprintf("%s %d, %d", name, day, year)
}

// between are words inside a date that say nothing about it.
var between = phrases("of,the,in,year,on,born,der,den,dem,am,im,jahr,jahre,de,del,el,año,le,du,en,l,an,vuonna,päivä,st,nd,rd,th,er,ter,ten,and,und,y,et")

func (r *reader) dateParts(tokens []token) (parts []datePart) {
	w := r.words
	for i := 0; i < len(tokens); {
		t, rest := tokens[i], tokens[i:]
		if _, n := phrase(rest, among(w.skipped)); n > 0 {
			i += n
			continue
		}
		key, n := phrase(rest, has(w.ordinals))
		number, m := phrase(rest, has(w.numbers))
		month, isMonth := w.months[t.key]
		switch {
		case n > 0 && n >= m:
			parts, i = append(parts, numbered(w.ordinals[key], true)), i+n
		case isMonth:
			parts, i = append(parts, datePart{n: month, month: true}), i+1
		case m > 0:
			parts, i = append(parts, numbered(w.numbers[number], false)), i+m
		case t.digits():
			parts, i = append(parts, numbered(t.key, false)), i+1
		default:
			if classOf([]rune(t.text)[0]) == alphabetic && !contains(between, t.key) {
				r.ask("“" + t.text + "” was not understood.")
			}
			i++
		}
	}
	return joinYear(parts)
}

func numbered(digits string, ordinal bool) datePart {
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) > 8 {
		n = -1
	}
	return datePart{n: n, digits: digits, ordinal: ordinal}
}

// joinYear makes one year of what is said in two or three parts: nineteen eighty four, nineteen oh five, two zero two six.
func joinYear(parts []datePart) []datePart {
	month := -1
	for i, p := range parts {
		if p.month {
			month = i
		}
	}
	for first := len(parts) - 2; first >= max(1, len(parts)-4); first-- {
		var digits strings.Builder
		for _, p := range parts[first:] {
			if p.month || p.ordinal {
				return parts
			}
			digits.WriteString(p.digits)
		}
		if s := digits.String(); len(s) == 4 && (s[:2] == "19" || s[:2] == "20") && (month >= 0 && first > month || first >= 2) {
			return append(parts[:first:first], numbered(s, false))
		}
	}
	return parts
}

// arrange tells which number is which.
func (r *reader) arrange(parts []datePart) (year, month, day int, ok bool) {
	if len(parts) == 1 && len(parts[0].digits) == 8 { // 19840503
		d := parts[0].digits
		parts = []datePart{numbered(d[:4], false), numbered(d[4:6], false), numbered(d[6:], false)}
	}
	if len(parts) == 2 {
		r.ask("The year was not said, or not understood.")
	}
	if len(parts) != 3 {
		return 0, 0, 0, false
	}
	a, b, c := parts[0], parts[1], parts[2]
	switch {
	case b.month: // 3 May 1984; 1984 May 3
		if len(a.digits) == 4 {
			return a.n, b.n, c.n, true
		}
		return c.n, b.n, a.n, true
	case a.month:
		return c.n, a.n, b.n, true
	case c.month:
		return 0, 0, 0, false
	case len(a.digits) == 4:
		return a.n, b.n, c.n, true
	}
	monthFirst := r.Country == "US" || r.Country == "" && r.words.tag == "en"
	switch {
	case a.n > 12:
		monthFirst = false
	case b.n > 12:
		monthFirst = true
	case a.ordinal && !b.ordinal:
		monthFirst = false
	case r.words.tag == "en" && a.n != b.n:
		r.ask("Is the month the first or the second number?")
	}
	if monthFirst {
		return c.n, a.n, b.n, true
	}
	return c.n, b.n, a.n, true
}
