package voice

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// TestRewindGoesOnWhereTheCallerStoppedHearing plays random items to a perfect far end, with rewinds at random times:
// what is heard of all generations together is what was received, each byte once.
func TestRewindGoesOnWhereTheCallerStoppedHearing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		l := &ledger{lead: lead{ahead: minLead}}
		now := time.Now()
		l.acknowledge(l.mark(now), now)
		var want, heard []byte
		for i := range 1 + rnd.IntN(3) {
			audio := make([]byte, 1+rnd.IntN(8000))
			for j := range audio {
				audio[j] = byte(rnd.Uint32())
			}
			p := l.open("r", string(rune('a'+i)), 0)
			p.receive(audio)
			p.audioDone, p.done = true, true
			want = append(want, audio...)
		}
		var sent []byte // of this generation
		rewinds := 0
		for len(l.items) > 0 {
			for l.playhead.Sub(now) <= l.lead.ahead {
				p, frame := l.next()
				if p == nil {
					break
				}
				sent = append(sent, frame...)
				l.sentFrame(p, len(frame), now)
				if l.wantsMark() {
					l.mark(now)
				}
			}
			for len(l.marks) > 0 && !l.marks[0].expected.After(now) {
				m := l.marks[0]
				l.acknowledge("g"+strconv.Itoa(l.gen)+"."+strconv.Itoa(m.seq), now)
			}
			if l.finished(); len(l.items) == 0 {
				break
			}
			if rnd.IntN(40) == 0 && rewinds < 20 {
				rewinds++
				n := int(l.heard(now))
				if unheard := l.rewind(now); int(unheard) != len(sent)-n {
					t.Fatalf("seed %d: %d unheard of %d sent, %d heard", seed, unheard, len(sent), n)
				}
				heard, sent = append(heard, sent[:n]...), sent[:0]
				l.finished()
			}
			now = now.Add(time.Duration(1+rnd.IntN(30)) * time.Millisecond)
		}
		if heard = append(heard, sent...); !bytes.Equal(heard, want) {
			t.Fatalf("seed %d, %d rewinds: heard %d bytes, want %d", seed, rewinds, len(heard), len(want))
		}
	}
}
