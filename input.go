package parley

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Input reads the members of one JSON object that a client sent. Each reader method takes one member; Done
// reports every problem at once, including members that nobody read. A member that is absent leaves its
// destination alone. Not safe for concurrent use.
type Input struct {
	prefix   string
	raw      map[string]json.RawMessage
	read     map[string]bool
	problems *[]FieldError
}

func newInput(prefix string, raw map[string]json.RawMessage, problems *[]FieldError) *Input {
	return &Input{prefix: prefix, raw: raw, read: map[string]bool{}, problems: problems}
}

// Again is the same object, unread: for a transaction that may run twice.
func (in *Input) Again() *Input { return newInput(in.prefix, in.raw, new([]FieldError)) }

// Has reports whether the member was sent, null included.
func (in *Input) Has(name string) bool { _, ok := in.raw[name]; return ok }

// Null reports whether the member was sent as null.
func (in *Input) Null(name string) bool { return isNull(in.raw[name]) }

func isNull(v json.RawMessage) bool { return string(v) == "null" }

// Fail records a problem with a member.
func (in *Input) Fail(name, message string) {
	*in.problems = append(*in.problems, FieldError{join(in.prefix, name), message})
}

// take returns the member's value and marks it as known.
func (in *Input) take(name string) (json.RawMessage, bool) {
	in.read[name] = true
	v, ok := in.raw[name]
	return v, ok
}

// Required records a problem if the member is absent. The member must be read as well.
func (in *Input) Required(name string) {
	if !in.Has(name) {
		in.Fail(name, "is required.")
	}
}

// Text reads a string of lo to hi Unicode code points.
func (in *Input) Text(name string, dst *string, lo, hi int) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var s string
	if isNull(raw) || json.Unmarshal(raw, &s) != nil {
		in.Fail(name, "must be a string.")
		return
	}
	if p := lengthProblem(s, lo, hi); p != "" {
		in.Fail(name, p)
		return
	}
	*dst = s
}

// IsBlank reports whether s has nothing but white space as ECMA-262 means it (\s), so that a browser, the
// patterns of the OpenAPI document and this server agree.
func IsBlank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != 0xfeff && (r == 0x85 || !unicode.IsSpace(r)) // U+0085 is a space to Unicode only
	})
}

func lengthProblem(s string, lo, hi int) string {
	n := utf8.RuneCountInString(s)
	switch {
	case n < lo && lo == 1, lo > 0 && IsBlank(s):
		return "must not be empty."
	case n < lo:
		return "must have at least " + strconv.Itoa(lo) + " characters, it has " + strconv.Itoa(n) + "."
	case n > hi:
		return "must have at most " + strconv.Itoa(hi) + " characters, it has " + strconv.Itoa(n) + "."
	}
	return ""
}

// Enum reads one of the given words.
func (in *Input) Enum(name string, dst *string, words ...string) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var s string
	if isNull(raw) || json.Unmarshal(raw, &s) != nil || !slices.Contains(words, s) {
		in.Fail(name, "must be "+oneOf(words)+".")
		return
	}
	*dst = s
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

// Bool reads true or false.
func (in *Input) Bool(name string, dst *bool) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	if isNull(raw) || json.Unmarshal(raw, dst) != nil {
		in.Fail(name, "must be true or false.")
	}
}

// Number reads a finite number from lo to hi.
func (in *Input) Number(name string, dst *float64, lo, hi float64) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var f float64
	if isNull(raw) || json.Unmarshal(raw, &f) != nil || f < lo || f > hi {
		in.Fail(name, "must be a number from "+number(lo)+" to "+number(hi)+".")
		return
	}
	*dst = f
}

// Int reads an integer from lo to hi. 30, 30.0 and 3e1 are the same integer, as in JSON Schema.
func (in *Input) Int(name string, dst *int, lo, hi int) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var f float64
	if isNull(raw) || json.Unmarshal(raw, &f) != nil || !isWhole(string(raw)) || f < float64(lo) || f > float64(hi) {
		in.Fail(name, "must be a whole number from "+strconv.Itoa(lo)+" to "+strconv.Itoa(hi)+".")
		return
	}
	*dst = int(f)
}

// isWhole reports whether a JSON number is an integer. It looks at the digits, for rounding makes 1e-400 a zero.
func isWhole(text string) bool {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	units, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimRight(units+fraction, "0")
	zeros := len(units+fraction) - len(digits)
	shift := 0
	if power != "" {
		var err error
		if shift, err = strconv.Atoi(power); err != nil { // beyond any range
			return strings.Trim(digits, "0") == ""
		}
	}
	return len(fraction)-shift <= zeros || strings.Trim(digits, "0") == ""
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// Time reads an RFC 3339 time, or null for none.
func (in *Input) Time(name string, dst **time.Time) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	if isNull(raw) {
		*dst = nil
		return
	}
	var s string
	_ = json.Unmarshal(raw, &s) // what is no string is no time either
	t, ok := ParseTime(s)
	if !ok {
		in.Fail(name, "must be a time such as 2026-01-31T09:00:00Z, or null.")
		return
	}
	if t.Year() < minYear || t.Year() > maxYear {
		in.Fail(name, "must be a time of the years "+strconv.Itoa(minYear)+" to "+strconv.Itoa(maxYear)+", or null.")
		return
	}
	t = t.UTC().Truncate(time.Microsecond)
	*dst = &t
}

var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// ParseTime reads an RFC 3339 time. Go's own parser also takes a comma in the second.
func ParseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil && instant.MatchString(s)
}

// The years that both databases and RFC 3339 can express.
const minYear, maxYear = 1970, 9998

// List reads a list of at most hi strings; check returns what is wrong with one of them, or "".
// A repeated string counts once.
func (in *Input) List(name string, dst *[]string, hi int, check func(string) string) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var items []json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &items) != nil {
		in.Fail(name, "must be a list of strings.")
		return
	}
	if len(items) > hi {
		in.Fail(name, "must have at most "+strconv.Itoa(hi)+" entries, it has "+strconv.Itoa(len(items))+".")
		return
	}
	list := make([]string, 0, len(items))
	before := len(*in.problems)
	for i, item := range items {
		var s string
		at := name + "[" + strconv.Itoa(i) + "]"
		if isNull(item) || json.Unmarshal(item, &s) != nil {
			in.Fail(at, "must be a string.")
			continue
		}
		if p := check(s); p != "" {
			in.Fail(at, p)
			continue
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	if len(*in.problems) == before {
		*dst = list
	}
}

// TextMap reads an object of at most hi strings.
func (in *Input) TextMap(name string, dst *map[string]string, hi int) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var m map[string]*string
	if isNull(raw) || json.Unmarshal(raw, &m) != nil || len(m) > hi {
		in.Fail(name, "must be an object of at most "+strconv.Itoa(hi)+" strings.")
		return
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if v == nil {
			in.Fail(name+"."+k, "must be a string.")
			return
		}
		out[k] = *v
	}
	*dst = out
}

// Object reads a nested object, whose problems are reported under name; nil when absent or not an object.
func (in *Input) Object(name string) *Input {
	raw, ok := in.take(name)
	if !ok {
		return nil
	}
	var m map[string]json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &m) != nil {
		in.Fail(name, "must be an object.")
		return nil
	}
	return newInput(join(in.prefix, name), m, in.problems)
}

// Skip marks a member as known without reading it.
func (in *Input) Skip(name string) { in.read[name] = true }

// Unknown records every member that no reader asked for.
func (in *Input) Unknown() {
	for _, name := range slices.Sorted(maps.Keys(in.raw)) {
		if !in.read[name] {
			in.Fail(name, "is not a known field. Remove it.")
		}
	}
}

// Done records unknown members and returns all problems as one CodeInvalid error, or nil.
func (in *Input) Done() error {
	in.Unknown()
	return Invalid(*in.problems)
}
