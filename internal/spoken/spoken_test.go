package spoken

import (
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// TestRead goes through testdata/readings.txt: every line is what was heard and all that comes of it.
func TestRead(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("testdata/readings.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	for _, line := range lines {
		f := strings.Split(line, "|")
		if len(f) != 8 {
			t.Fatalf("%d columns: %s", len(f), line)
		}
		r := Read(Question{Kind: Kind(f[0]), Language: f[1], Country: f[2], Heard: f[3], Now: now})
		valid := map[bool]string{true: "ok", false: "x"}[r.Valid]
		if got := strings.Join([]string{f[0], f[1], f[2], f[3], r.Value, valid, r.ReadBack, strings.Join(r.Unclear, " / ")}, "|"); got != line {
			t.Errorf("got  %s\nwant %s", got, line)
		}
	}
	if len(lines) < 120 {
		t.Errorf("only %d readings", len(lines))
	}
}

func TestSpellOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{Kind: Name, Heard: "S M I T H"}, "Sierra, Mike, India, Tango, Hotel"},
		{Question{Kind: Name, Heard: "M Ü L L E R", Language: "de-AT"}, "Martha, Übermut, Ludwig, Ludwig, Emil, Richard"},
		{Question{Kind: Name, Heard: "Ñ I C O", Language: "es"}, "Ñoño, Inés, Carmen, Oviedo"},
		{Question{Kind: Name, Heard: "Z O É", Language: "fr"}, "Zoé, Oscar, É"},
		{Question{Kind: Name, Heard: "Y R J Ö", Language: "fi"}, "Yrjö, Risto, Jussi, Öljy"},
		{Question{Kind: CustomerNumber, Heard: "A B dash 1"}, "Alpha, Bravo, dash, 1"},
		{Question{Kind: PostalCode, Heard: "10117"}, ""},
	} {
		if got := Read(c.q).SpellOut; got != c.want {
			t.Errorf("%q: %q, want %q", c.q.Heard, got, c.want)
		}
	}
}

// TestNumberWords: what a language says for a number is read as that number, whole.
func TestNumberWords(t *testing.T) {
	t.Parallel()
	for tag, say := range map[string]func(int) []string{"en": english, "de": german, "es": spanish, "fr": french, "fi": finnish} {
		known := languages()[tag].numbers
		for n := range 1000 {
			if len(say(n)) == 0 {
				t.Errorf("%s has no word for %d", tag, n)
			}
			for _, phrase := range say(n) {
				if got := known[fold(phrase)]; got == "" {
					t.Errorf("%s: %q is not known", tag, phrase)
				}
			}
		}
	}
	for phrase, want := range map[string]string{
		"quatre vingt dix neuf": "99", "soixante et onze": "71", "septante": "70", "quatre vingts": "80", "deux cents": "200",
	} {
		if got := languages()["fr"].numbers[phrase]; got != want {
			t.Errorf("%s: %s, want %s", phrase, got, want)
		}
	}
}

func TestTooLongAndEmpty(t *testing.T) {
	t.Parallel()
	for _, heard := range []string{"", "  ...  ", strings.Repeat("a", MaxHeard+1)} {
		if r := Read(Question{Kind: Email, Heard: heard}); r.Value != "" || r.Valid || len(r.Unclear) != 1 {
			t.Errorf("%.10q: %+v", heard, r)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(0, "j o h n at gmail dot com", "en")
	f.Add(3, "s w one a - double", "de")
	f.Add(5, "3.5.1984", "fi")
	f.Fuzz(func(t *testing.T, kind int, heard, language string) {
		k := Kinds[max(kind%len(Kinds), 0)]
		r := Read(Question{Kind: k, Heard: heard, Language: language, Now: now})
		if r.Valid && r.Value == "" {
			t.Fatalf("%s %q: valid without a value", k, heard)
		}
		for _, s := range append(r.Unclear, r.Value, r.ReadBack, r.SpellOut) {
			if !utf8.ValidString(s) || len(s) > 64<<10 {
				t.Fatalf("%s %q: %.100q", k, heard, s)
			}
		}
	})
}
