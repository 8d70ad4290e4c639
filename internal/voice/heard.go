package voice

import (
	"unicode"
	"unicode/utf8"
)

// heardText returns the words that fit into the first heard bytes of an item's audio. When only a part was
// heard, milliseconds are mapped to text linearly between the stamps and cut back to a whole word, and
// approximate is true.
func (p *playItem) heardText(heard int64) (text string, approximate bool) {
	all := p.text.String()
	if p.done && !p.cut && heard >= p.received {
		return all, false
	}
	if heard <= 0 || all == "" {
		return "", all != ""
	}
	return all[:wholeWords(all, p.textAt(heard, len(all)))], true
}

// textAt maps a position in the audio to a length of text.
func (p *playItem) textAt(heard int64, length int) int {
	from := stamp{}
	to := stamp{audio: p.received, text: length}
	for _, s := range p.stamps {
		if s.audio > heard {
			to = s
			break
		}
		from = s
	}
	if to.audio <= from.audio {
		return from.text
	}
	share := float64(heard-from.audio) / float64(to.audio-from.audio)
	return from.text + int(share*float64(to.text-from.text))
}

// wholeWords returns the largest length ≤ n at which s can be cut between two words. In scripts without
// spaces every character ends a word.
func wholeWords(s string, n int) int {
	n = min(n, len(s))
	for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
		n--
	}
	if n == len(s) {
		return n
	}
	if next, _ := utf8.DecodeRuneInString(s[n:]); unicode.IsSpace(next) {
		return n
	}
	for n > 0 {
		last, size := utf8.DecodeLastRuneInString(s[:n])
		if unicode.In(last, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer) {
			return n
		}
		n -= size
		if unicode.IsSpace(last) {
			return n
		}
	}
	return 0
}
