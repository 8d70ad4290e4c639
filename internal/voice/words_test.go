package voice

import "testing"

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Uh-huh.": "nod", "mhm": "nod", "Mm-hmm, okay.": "nod", "Okay, right, I see.": "nod", "D'accord.": "nod", "Genau!": "nod",
		"Ajá, vale": "nod", "うん": "nod", "Thank you very much.": "nod",
		"No.": "command", "Stop!": "command", "wait, wait": "command", "Hold on…": "command", "Sí": "command", "Vänta!": "command",
		"Bye.": "guess", "you": "guess",
		"Okay, stop": "words", "yeah but when": "words", "right now": "words", "Thursday": "words", "okay you": "words",
		"no I mean Thursday":                           "words",
		"okay okay okay okay okay okay okay okay okay": "words",
		"": "empty", "[laughter]": "empty", "*coughs*": "empty", "(inaudible) ...": "empty", "[never closed": "empty",
	} {
		words, got := plainWords(text), "words"
		switch {
		case len(words) == 0:
			got = "empty"
		case onlyOf(words, nods):
			got = "nod"
		case onlyOf(words, guesses):
			got = "guess"
		case onlyOf(words, commands):
			got = "command"
		}
		if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for phrase := range nods {
		if len(plainWords(phrase)) > longestPhrase {
			t.Errorf("%q is longer than the longest phrase", phrase)
		}
		if commands[phrase] {
			t.Errorf("%q is a nod and a command", phrase)
		}
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	const said = "I have a table for two, at seven o'clock."
	for text, want := range map[string]bool{
		"A table for two": true, "seven o clock": true, "table two": false, "": false, "a table for two at seven o clock tomorrow": false,
	} {
		if got := repeats(plainWords(text), said); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// FuzzWords: a transcript is untrusted, and only compared.
func FuzzWords(f *testing.F) {
	f.Add("Uh-huh. [x] (y *z*")
	f.Fuzz(func(_ *testing.T, text string) {
		words := plainWords(text)
		onlyOf(words, nods, hellos)
		repeats(words, text)
	})
}
