package parley_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"parley"
)

func split(format parley.DocumentFormat, content string) []parley.Passage {
	return parley.Document{Format: format, Content: content}.Split()
}

func TestPassagesFollowHeadings(t *testing.T) {
	t.Parallel()
	long := strings.TrimSpace(strings.Repeat("A room costs ninety euros a night. ", 30)) // 1,049 characters
	got := split(parley.DocumentMarkdown, "Intro.\r\n\r\n# Hotel #\n\n"+long+"\n\n## Pool\nOpen at seven.\n\n```\n# no heading\n```\n\n### Towels\nFree.\n# Bar\n"+long)
	want := []parley.Passage{
		{Heading: "", Text: "Intro.\n\nHotel\n\n" + long},
		{Heading: "Hotel › Pool", Text: "Open at seven.\n\n```\n# no heading\n```\n\nTowels\n\nFree.\n\nBar\n\n" + long},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %d passages: %q", len(got), got)
	}
	if got := split(parley.DocumentText, "# One\n\nTwo"); len(got) != 1 || got[0].Heading != "" || got[0].Text != "# One\n\nTwo" {
		t.Errorf("text has no headings: %q", got)
	}
	if got := split(parley.DocumentMarkdown, "# Only\n## Headings"); len(got) != 0 {
		t.Errorf("headings alone: %q", got)
	}
}

func TestLongParagraphsOverlap(t *testing.T) {
	t.Parallel()
	got := split(parley.DocumentText, strings.Repeat("The quick brown fox jumps over the lazy dog. ", 100))
	if len(got) < 4 {
		t.Fatalf("%d passages", len(got))
	}
	for i, p := range got[1:] {
		tail, _, _ := strings.Cut(strings.TrimPrefix(p.Text, "… "), " The quick")
		if !strings.HasPrefix(p.Text, "… ") || !strings.Contains(got[i].Text, tail) || !strings.HasSuffix(got[i].Text, "dog.") {
			t.Errorf("passage %d does not go on: %.100q", i+1, p.Text)
		}
	}
}

// FuzzSplit: no passage is empty or too long, there are not too many, and no word gets lost.
func FuzzSplit(f *testing.F) {
	f.Add("# A\n\nb c\n\n"+strings.Repeat("word ", 500), true)
	f.Add(strings.Repeat("x", 3000)+"\n\n"+strings.Repeat("あ", 3000), false)
	f.Add(strings.Repeat("# h\nt\n", 700), true)
	f.Fuzz(func(t *testing.T, content string, markdown bool) {
		if !utf8.ValidString(content) {
			return
		}
		format := parley.DocumentText
		if markdown {
			format = parley.DocumentMarkdown
		}
		got := split(format, content)
		if len(got) > 1+utf8.RuneCountInString(content)/500 {
			t.Fatalf("%d passages of %d characters", len(got), utf8.RuneCountInString(content))
		}
		all := ""
		for _, p := range got {
			all += p.Text
			if n := utf8.RuneCountInString(p.Text); strings.TrimSpace(p.Text) == "" || n > 1_200 || utf8.RuneCountInString(p.Heading) > 200 {
				t.Fatalf("a passage of %d characters: %q", n, p)
			}
		}
		if markdown {
			return // headings are told apart
		}
		for _, word := range strings.Fields(content) {
			if len(word) < 200 && len(got) == 1 && !strings.Contains(all, word) {
				t.Fatalf("%q is lost", word)
			}
		}
	})
}
