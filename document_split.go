package parley

import (
	"strings"
	"unicode"
)

// Passage is a piece of a document: what a search finds and what a model reads.
type Passage struct {
	Heading string // the headings above it, outermost first, separated by " › "; "" = none
	Text    string
}

// Sizes of passages, in Unicode code points.
const (
	maxPassage  = 1_200
	fullPassage = 800 // one of this length ends where a section does
	overlap     = 120 // of the passage before, where one section had to be cut
	maxHeading  = 200
)

// Split cuts a document into passages: at headings, else between paragraphs, else after a sentence or a word.
func (d Document) Split() []Passage {
	s := splitter{}
	for _, p := range paragraphs(d.Content, d.Format == DocumentMarkdown) {
		s.add(p)
	}
	s.end(false)
	return s.out
}

// paragraph is what stands between blank lines; a heading has a level of 1 to 6.
type paragraph struct {
	text  string
	level int
}

// paragraphs reads a text's lines. A fenced block of code is one paragraph, whatever is in it.
func paragraphs(text string, markdown bool) (out []paragraph) {
	var lines []string
	fence := ""
	end := func() {
		if p := strings.TrimSpace(strings.Join(lines, "\n")); p != "" {
			out = append(out, paragraph{text: p})
		}
		lines = nil
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		trimmed := strings.TrimSpace(line)
		level, title := heading(trimmed)
		switch {
		case markdown && fence != "":
			lines = append(lines, line)
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case markdown && (strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~")):
			fence = trimmed[:3]
			lines = append(lines, line)
		case trimmed == "":
			end()
		case markdown && level > 0:
			end()
			out = append(out, paragraph{title, level})
		default:
			lines = append(lines, line)
		}
	}
	end()
	return out
}

// heading reads "## Title"; the level is 0 for other lines.
func heading(line string) (level int, title string) {
	rest := strings.TrimLeft(line, "#")
	level = len(line) - len(rest)
	if level == 0 || level > 6 || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return 0, ""
	}
	return level, strings.TrimSpace(strings.TrimRight(strings.TrimSpace(rest), "#"))
}

// splitter packs paragraphs into passages.
type splitter struct {
	out      []Passage
	headings [6]string
	heading  string // above the passage under way
	text     []rune
	fresh    int // of text, which the passage before does not have
}

func (s *splitter) add(p paragraph) {
	if p.level == 0 {
		s.append([]rune(p.text))
		return
	}
	if s.fresh >= fullPassage {
		s.end(false)
	}
	s.headings[p.level-1] = p.text
	for i := p.level; i < len(s.headings); i++ {
		s.headings[i] = ""
	}
	if s.fresh == 0 {
		s.heading, s.text = s.path(), nil
		return
	}
	s.append([]rune(p.text)) // a short section goes on in the same passage
}

// path joins the headings that are open.
func (s *splitter) path() string {
	var open []string
	for _, h := range s.headings {
		if h != "" {
			open = append(open, h)
		}
	}
	path := []rune(strings.Join(open, " › "))
	return string(path[:min(len(path), maxHeading)])
}

// append adds a paragraph, and ends as many passages as it fills.
func (s *splitter) append(p []rune) {
	if len(s.text) > 0 && len(s.text)+2+len(p) > maxPassage && s.fresh >= fullPassage {
		s.end(true)
	}
	if len(s.text) > 0 {
		s.text = append(s.text, '\n', '\n')
		s.fresh += 2
	}
	for len(s.text)+len(p) > maxPassage {
		n := breakBefore(p, maxPassage-len(s.text))
		s.text = append(s.text, p[:n]...)
		s.fresh += n
		p = []rune(strings.TrimLeftFunc(string(p[n:]), unicode.IsSpace))
		s.end(true)
	}
	s.text = append(s.text, p...)
	s.fresh += len(p)
}

// end closes the passage under way; the next one begins with its last words if the section goes on.
func (s *splitter) end(goesOn bool) {
	text := strings.TrimSpace(string(s.text))
	if s.fresh > 0 && text != "" {
		s.out = append(s.out, Passage{s.heading, text})
	}
	s.heading, s.text, s.fresh = s.path(), nil, 0
	if runes := []rune(text); goesOn && len(runes) > overlap {
		tail := runes[len(runes)-overlap:]
		for i, c := range tail {
			if unicode.IsSpace(c) {
				s.text = append([]rune("… "), tail[i+1:]...)
				s.text = append(s.text, ' ')
				return
			}
		}
	}
}

// breakBefore finds where to cut a text within n characters: after a sentence, else at a space, in its second half;
// else at n.
func breakBefore(p []rune, n int) int {
	space := 0
	for i := n; i > n/2; i-- {
		if i < len(p) && unicode.IsSpace(p[i]) {
			if strings.ContainsRune(".!?。！？", p[i-1]) {
				return i
			}
			space = max(space, i)
		}
	}
	if space > 0 {
		return space
	}
	return n
}
