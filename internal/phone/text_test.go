package phone

import "testing"

// Every language has words for everything: a caller must not meet silence, or another language in between.
func TestTextsAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for language, in := range texts {
		for i, words := range in.words {
			if words == "" {
				t.Errorf("%s has no words for text %d", language, i)
			}
			if other := seen[words]; other != "" {
				t.Errorf("%s says %q, as %s does", language, words, other)
			}
			seen[words] = language
		}
	}
	if got := say(textBusy, "pt-BR"); got.Language != "" || got.Text != texts["en"].words[textBusy] {
		t.Errorf("a language that we do not have: %+v", got)
	}
}

// Words that are the operator's own are spoken with the voice of their language, also where we have no texts in it.
func TestVoiceOfALanguage(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{
		"": "", "en": "", "en-GB": "en-GB", "en-us": "", "fi": "fi-FI", "fi-FI": "fi-FI", "de-AT": "de-DE", "pt-BR": "pt-BR", "pt": "pt-PT",
		"fr-ca": "fr-CA", "fr-CH": "fr-FR", "no": "nb-NO", "tlh": "",
	} {
		if got := localeOf(language); got != want {
			t.Errorf("%q: %q, want %q", language, got, want)
		}
	}
}
