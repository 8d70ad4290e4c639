package voice

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/internal/sim/speech"
)

// telling is how a model sends an item: audio in deltas of uneven length, and the words of each delta before it,
// leadMs ahead of their sound, and rush times as fast as it (0 = as fast).
type telling struct {
	chunkMs []int
	leadMs  int
	rush    int
	voice   float64 // pace of an earlier answer; 0 = none
}

// hearings gives heard text at every 100 ms of a clip. known says how much of the audio the model has sent when that
// much was heard, in milliseconds.
func (m telling) hearings(clip speech.Clip, known func(heardMs int) int, check func(ms int, text string)) {
	p, word, at, n := &playItem{voice: m.voice}, 0, 0, 0
	for ms := 0; ms <= clip.Ms(); ms += 100 {
		for at < clip.Ms() && at < max(ms, known(ms)) {
			end := min(clip.Ms(), at+m.chunkMs[n%len(m.chunkMs)])
			for ; word < len(clip.Words) && clip.Words[word].StartMs < max(1, m.rush)*end+m.leadMs; word++ {
				p.addText(strings.Repeat(" ", min(1, word)) + clip.Words[word].Text)
			}
			p.receive(clip.ULaw[at*bytesPerMs : end*bytesPerMs])
			at, n = end, n+1
		}
		p.done, p.audioDone, p.whole = at == clip.Ms(), at == clip.Ms(), at == clip.Ms()
		text, _ := p.heardText(int64(ms) * bytesPerMs)
		check(ms, text)
	}
}

// TestHeardTextIsWithinAWord compares the heard text at every 100 ms of flite's recorded clips with the times at which
// flite spoke the words. Where words come so early that they tell nothing of the time, only the voice's usual pace is
// known until all is sent.
func TestHeardTextIsWithinAWord(t *testing.T) {
	t.Parallel()
	uneven := []int{50, 113, 237, 401, 171, 94, 313} // as the simulated model sends
	var before ledger
	learned := before.open("", "earlier", 0)
	clip := speech.SayAt(speech.Lines()[0], 1)
	learned.receive(clip.ULaw)
	learned.addText(speech.Lines()[0])
	before.learn(learned, true)
	earlier := before.voice
	for _, c := range []struct {
		name  string
		model telling
		known func(heardMs int) int
		speed float64
		most  int // words off at p90
	}{
		{"all sent", telling{uneven, 400, 0, 0}, func(int) int { return 1 << 30 }, 1, 1},
		{"sent five times as fast", telling{uneven, 400, 0, 0}, func(ms int) int { return 5*ms + 500 }, 1, 1},
		{"sent a little faster", telling{uneven, 400, 0, 0}, func(ms int) int { return 6*ms/5 + 300 }, 1, 1},
		{"sent as it is heard", telling{uneven, 400, 0, 0}, func(ms int) int { return ms + 200 }, 1, 1},
		{"words with their sound", telling{uneven, 0, 0, 0}, func(ms int) int { return 2*ms + 500 }, 1, 1},
		{"words far ahead", telling{uneven, 1500, 0, 0}, func(ms int) int { return 2*ms + 500 }, 1, 2},
		{"words twice as fast as their sound", telling{uneven, 400, 2, earlier}, func(ms int) int { return ms + 300 }, 1, 2},
		{"words thrice as fast as their sound", telling{uneven, 400, 3, earlier}, func(ms int) int { return ms + 300 }, 1, 2},
		{"words five times as fast as their sound", telling{uneven, 400, 5, earlier}, func(ms int) int { return ms + 300 }, 1, 2},
		{"all words first", telling{uneven, 1 << 20, 0, 0}, func(ms int) int { return 2*ms + 500 }, 1, 2},
		{"slow", telling{uneven, 400, 0, 0}, func(ms int) int { return 2*ms + 500 }, 0.7, 1},
		{"fast", telling{uneven, 400, 0, 0}, func(ms int) int { return 2*ms + 500 }, 1.4, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var errors []int
			worst := ""
			for _, line := range speech.Lines() {
				clip := speech.SayAt(line, c.speed)
				c.model.hearings(clip, c.known, func(ms int, text string) {
					ended := 0
					for _, w := range clip.Words {
						if w.EndMs <= ms {
							ended++
						}
					}
					off := len(strings.Fields(text)) - ended
					if len(errors) == 0 || max(off, -off) > slices.Max(errors) {
						worst = fmt.Sprintf("%+d at %d ms of %q: %q", off, ms, line, text)
					}
					errors = append(errors, max(off, -off))
				})
			}
			slices.Sort(errors)
			p50, p90, top := errors[len(errors)/2], errors[len(errors)*9/10], errors[len(errors)-1]
			t.Logf("%d cuts: words off p50 %d, p90 %d, max %d (%s)", len(errors), p50, p90, top, worst)
			if p90 > c.most {
				t.Errorf("p90 is %d words", p90)
			}
		})
	}
}

// TestWordsOfACanceledAnswer: an answer that was cut off while its words ran ahead of their sound ends before its text.
func TestWordsOfACanceledAnswer(t *testing.T) {
	t.Parallel()
	line := speech.Lines()[0]
	clip := speech.Say(line)
	var l ledger
	p := l.open("response", "item", 0)
	p.addText(line)
	p.receive(clip.ULaw[:len(clip.ULaw)/3])
	l.learn(p, false)
	text, approximate := p.heardText(p.received)
	if !approximate || len(text) > len(line)/2 || !strings.HasPrefix(line, text) {
		t.Errorf("heard %q of %q, approximate %v", text, line, approximate)
	}
	if l.voice != 0 {
		t.Error("the voice's pace was learned from it")
	}
}
