package number

import (
	"strings"
	"testing"
)

func TestProblem(t *testing.T) {
	t.Parallel()
	finnish, american := []string{"+358401234568"}, []string{"+14155552671"}
	for _, c := range []struct {
		text  string
		known []string
		want  string // a part of the problem; "" = none
	}{
		{"+358401234567", nil, ""},
		{"+1234567890", nil, ""}, // E.164 by its form
		{"+358 40 123 4567", nil, "Write +358401234567."},
		{"+358-40-1234567", nil, "Write +358401234567."},
		{"00358401234567", nil, "it begins with +. Write +358401234567."},
		{"011 358 40 1234567", nil, "Write +358401234567."},
		{"358401234567", nil, "Write +358401234567."},
		{"040 1234567", finnish, "It looks like a national number: write +358401234567 for Finland."},
		{"0401234567", append(finnish, american...), "write +358401234567 for Finland."},
		{"(415) 555-2671", american, "write +14155552671 for the United States."},
		{"0401234567", nil, "it begins with + and the country code."}, // of too many countries
		{"0401234567", american, "it begins with + and the country code."},
		{"+0401234567", nil, "+ and the country code, then at most 15 digits"},
		{"+3584012345671234567", nil, "at most 15 digits"},
		{"", nil, "E.164"},
		{"hello", nil, "E.164"},
		{strings.Repeat("040", 100), nil, "such as +358401234567."},
		{"+35840\x001234567", nil, "Write +358401234567."},
	} {
		got := Problem(c.text, c.known)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
	if got := Problem("0401234567", nil); strings.Contains(got, "looks like") {
		t.Errorf("a guess among many countries: %s", got)
	}
}

func TestDoubt(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"+358401234567":    "",
		"+14155552671":     "",
		"+80012345678":     "", // of no country: free phone everywhere
		"+1234567890":      "too short for a number of the United States",
		"+15550001111":     "does not look like a number of the United States",
		"+141555526712345": "too long for a number of the United States",
		"+999123456":       "No country",
		"+12":              "No country",
	} {
		got := Doubt(number)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
}
