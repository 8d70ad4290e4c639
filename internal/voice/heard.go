package voice

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The weight of text is how long it takes to say, in consonants. Marks stand for what is left of a pause when its
// silence is not counted: the sounds before it are drawn out.
const (
	vowelWeight = 1.5
	digitWeight = 5
	signWeight  = 4 // of a Chinese, Japanese or Korean character
	markWeight  = 2
	spaceWeight = 0.5
)

// usualPace is a voice's before anything is known of it: weight per byte of audio that sounds, about 160 words a
// minute with their pauses. It counts as if it had been observed for usualFor bytes.
const (
	usualPace = 20.0 / (1000 * bytesPerMs)
	usualFor  = 1000 * bytesPerMs
)

// heardText returns the words that fit into the first heard bytes of an item's audio. When only a part was heard, it
// is an estimate, cut back to a whole word, and approximate is true.
func (p *playItem) heardText(heard int64) (text string, approximate bool) {
	all := p.text.String()
	if p.done && !p.cut && heard >= p.received {
		return all, false
	}
	if heard <= 0 || all == "" {
		return "", all != ""
	}
	return all[:wholeWords(all, saidWithin(all, p.said(heard)))], true
}

// said is the weight of what is said in the first heard bytes of audio. Two measures are averaged: the pace of the
// voice, and the words that had come when that audio had, less the lead of words over their sound, which nobody tells
// but which is taken to be the same all along.
func (p *playItem) said(heard int64) float64 {
	pace := p.pace()
	said := pace * float64(p.sounding.within(heard))
	if len(p.stamps) < 3 {
		return said
	}
	ahead := func(s stamp) float64 { return s.weight - pace*float64(s.sound) }
	lead := 0.0
	for _, s := range p.stamps[1:] {
		lead += ahead(s)
	}
	lead /= float64(len(p.stamps) - 1)
	from, to := p.around(heard)
	here := ahead(from)
	if to.audio > from.audio && heard > from.audio {
		here += (ahead(to) - here) * float64(heard-from.audio) / float64(to.audio-from.audio)
	}
	return said + (here-lead)/2
}

// around returns the stamps before and after a place in the audio, without the first, whose weight is nothing. At the
// ends they are the same.
func (p *playItem) around(heard int64) (from, to stamp) {
	from = p.stamps[1]
	for _, to = range p.stamps[1:] {
		if to.audio > heard {
			return from, to
		}
		from = to
	}
	return from, from
}

// pace is the weight that the item says in a byte of sounding audio. All of an item's words fit into all of its audio.
// Before the end, what has come between the second and the last piece of text is the measure: the first one says only
// how far ahead words run.
func (p *playItem) pace() float64 {
	if n := p.sounding.within(p.received); p.done && !p.cut && n > 0 {
		return p.weight / float64(n)
	}
	said, within := usualPace*usualFor, float64(usualFor)
	if n := len(p.stamps); n > 2 {
		first, last := p.stamps[1], p.stamps[n-1]
		said += last.weight - first.weight
		within += float64(last.sound - first.sound)
	}
	return said / within
}

// weightOf is the weight of a character.
func weightOf(r rune) float64 {
	switch {
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return signWeight
	case strings.ContainsRune("aeiouyAEIOUYäöüåæøéèêáàâíóôúÄÖÜÅ", r):
		return vowelWeight
	case unicode.IsLetter(r):
		return 1
	case unicode.IsDigit(r):
		return digitWeight
	case unicode.IsSpace(r):
		return spaceWeight
	}
	if strings.ContainsRune(",;:.!?…–—、，。！？", r) {
		return markWeight
	}
	return 0
}

func weight(text string) (sum float64) {
	for _, r := range text {
		sum += weightOf(r)
	}
	return sum
}

// saidWithin returns how much of text, in bytes, has at most a weight.
func saidWithin(text string, most float64) int {
	for i, r := range text {
		if most -= weightOf(r); most < 0 {
			return i
		}
	}
	return len(text)
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
