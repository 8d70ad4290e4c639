// Package speech is the voice of the simulators: text in, audible µ-law with word timings out. Lines that the
// simulated model says often are recorded clips (made with flite, see scripts/speech-model); any other text
// is spoken by a small formant synthesizer, which is speech-like rather than intelligible.
//
// It is deterministic and offline, and it must know nothing of calls or protocols.
package speech

import (
	"strings"
	"sync"
)

// Clip is spoken text. It is shared and must not be changed.
type Clip struct {
	ULaw  []byte // G.711 µ-law, 8 kHz mono: 8 bytes per millisecond
	Words []Word // in order, without overlaps
}

// Word says when a word of the text is heard, in milliseconds from the start of the clip. Text is the word
// as written, with its punctuation.
type Word struct {
	Text    string `json:"text"`
	StartMs int    `json:"startMs"`
	EndMs   int    `json:"endMs"`
}

// Ms is the clip's duration in milliseconds.
func (c Clip) Ms() int { return len(c.ULaw) / 8 }

// maxText bounds one utterance (about 5 minutes); longer text is cut.
const maxText = 5000

// cacheBytes bounds the audio of synthesized text that is kept.
const cacheBytes = 8 << 20

// Say returns the clip for a text: the recorded one, a recorded beginning followed by synthesized words, or
// synthesized words alone. The same text always gives the same clip. An empty text gives an empty clip.
// It is safe for concurrent use.
func Say(text string) Clip {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	if c, ok := recorded()[text]; ok {
		return c
	}
	return cached(text)
}

var cache = struct {
	sync.Mutex
	clips map[string]Clip
	bytes int
}{clips: map[string]Clip{}}

func cached(text string) Clip {
	cache.Lock()
	c, ok := cache.clips[text]
	cache.Unlock()
	if ok {
		return c
	}
	c = compose(text)
	cache.Lock()
	defer cache.Unlock()
	if cache.bytes+len(c.ULaw) > cacheBytes {
		clear(cache.clips) // rare: a caller that speaks ever new texts only loses the saving
		cache.bytes = 0
	}
	if _, ok := cache.clips[text]; !ok {
		cache.clips[text] = c
		cache.bytes += len(c.ULaw)
	}
	return c
}

// compose puts the longest recorded beginning before synthesized words, so that a line such as "The tool
// answered: …" starts with real speech.
func compose(text string) Clip {
	best := ""
	for line := range recorded() {
		if len(line) > len(best) && strings.HasPrefix(text, line+" ") {
			best = line
		}
	}
	if best == "" {
		return synthesize(text)
	}
	head, tail := recorded()[best], synthesize(text[len(best)+1:])
	c := Clip{
		ULaw:  append(append([]byte(nil), head.ULaw...), tail.ULaw...),
		Words: append([]Word(nil), head.Words...),
	}
	for _, w := range tail.Words {
		c.Words = append(c.Words, Word{Text: w.Text, StartMs: w.StartMs + head.Ms(), EndMs: w.EndMs + head.Ms()})
	}
	return c
}
