package voice

import (
	"cmp"
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
	// fastest is how many times the usual pace a voice may speak. Words that come faster come ahead of their sound, more
	// and more so, and say nothing of the time.
	fastest      = 1.6
	fastestKnown = 1.2 // times the pace of the same voice's earlier words
)

// heardText returns the words that fit into the first heard bytes of an item's audio. When only a part was heard, it
// is an estimate, cut back to a whole word, and approximate is true.
func (p *playItem) heardText(heard int64) (text string, approximate bool) {
	all := p.text.String()
	if p.whole && heard >= p.received {
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
	if _, paced := p.observed(); !paced {
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
	if n := p.sounding.within(p.received); p.whole && n > 0 {
		return p.weight / float64(n)
	}
	if pace, paced := p.observed(); paced {
		return pace
	}
	return p.usual()
}

// usual is the voice's pace as far as it is known before the item tells.
func (p *playItem) usual() float64 { return cmp.Or(p.voice, usualPace) }

// observed is the pace at which an item's words come with its sound; paced says whether a voice could speak like that.
func (p *playItem) observed() (pace float64, paced bool) {
	if len(p.stamps) < 3 {
		return 0, false
	}
	first, last := p.stamps[1], p.stamps[len(p.stamps)-1]
	said, within := last.weight-first.weight, float64(last.sound-first.sound)
	most := fastest * usualPace
	if p.voice > 0 {
		most = fastestKnown * p.voice
	}
	return (p.usual()*usualFor + said) / (usualFor + within), p.whole || said <= most*(within+usualFor)
}

// learn takes an item's end. One that was said whole, and is no mere word, tells the pace of the voice.
func (l *ledger) learn(p *playItem, whole bool) {
	p.audioDone, p.done, p.whole = true, true, whole
	if n := p.sounding.within(p.received); whole && n >= usualFor && p.weight > 0 {
		l.voice = p.pace()
	}
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
