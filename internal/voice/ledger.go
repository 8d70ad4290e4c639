package voice

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	bytesPerMs = 8   // µ-law at 8 kHz
	frameBytes = 160 // 20 ms
	// markEvery is how much audio may go out before the carrier is asked where it is.
	markEvery   = 160 * bytesPerMs
	markOverdue = 5 * time.Second  // after which a mark's echo is not waited for
	shortRest   = 500 * bytesPerMs // of an item's audio: moving it costs less than new memory
	// maxItemBytes bounds what one answer may hold in memory: five minutes, more than the model's 4096 output
	// tokens can say.
	maxItemBytes = 300_000 * bytesPerMs
)

// ledger accounts for every byte of the agent's voice on its way from the model to the caller's ear:
// received from the model, sent to the carrier, acknowledged as played. It answers the one question that
// interruption turns on: how much was heard?
//
// Positions are bytes in the stream sent since the last clear (a generation). The ledger belongs to the
// session's goroutine and does no I/O.
type ledger struct {
	items []*playItem // in playing order; finished ones are removed

	voice float64 // pace of the newest item that was said whole, see playItem.pace; 0 = not known

	gen     int // bumped by every clear: echoes of older marks say nothing
	nextSeq int // of the next mark
	sent    int64
	marked  int64 // sent, at the last mark
	acked   int64 // certainly played: a mark of this generation has come back from here
	marks   []mark

	lead lead
	// playhead is when the last byte sent would end if the carrier played without delay.
	playhead time.Time

	// The playing clock: base was being played (plus lag, the mark round trip) at baseAt.
	base   int64
	baseAt time.Time
	lag    time.Duration

	// rtt is the shortest mark round trip of the call; rttKnown once a mark has come back.
	rtt       time.Duration
	rttKnown  bool
	underruns int
}

// mark is a question to the carrier, on its way.
type mark struct {
	seq      int
	pos      int64
	expected time.Time // when the audio before it ends by our playhead
	lead     time.Duration
}

// playItem is one content part of a spoken item.
type playItem struct {
	responseID, itemID string
	contentIndex       int

	audio     []byte // received, from the byte that is not yet certainly played
	unsent    int    // offset in audio of the next byte to send
	received  int64
	sent      int64
	start     int64 // position of its first byte, once sent > 0
	audioDone bool  // the model has sent all of its audio
	done      bool  // and all of its words
	whole     bool  // they belong together: the model was not cut off while words ran ahead of their sound
	cut       bool  // the rest of it will never come: its model session is gone
	retold    bool  // the model knows it as text only, from a replay
	told      bool  // … which has an item of this id for it
	filler    bool  // the waiting tune, which nobody said

	voice    float64 // pace of what was said before, see ledger.voice
	text     strings.Builder
	weight   float64 // of the text
	stamps   []stamp
	sounding sounding
}

// stamp ties a length of text to the audio received when the text arrived.
type stamp struct {
	audio  int64   // bytes
	sound  int64   // bytes of them that are no pause
	weight float64 // of the text before it
}

// recordID names the part in the conversation's log.
func (p *playItem) recordID() string { return partID(p.itemID, p.contentIndex) }

// partID names a content part of an item: the item's id, made unique for further parts.
func partID(itemID string, contentIndex int) string {
	if contentIndex == 0 {
		return itemID
	}
	return itemID + "#" + strconv.Itoa(contentIndex)
}

// receivedMs is the audio received from the model, in whole milliseconds.
func (p *playItem) receivedMs() int64 { return p.received / bytesPerMs }

// find returns the item's entry, nil if it is unknown or finished.
func (l *ledger) find(itemID string, contentIndex int) *playItem {
	for _, p := range l.items {
		if p.itemID == itemID && p.contentIndex == contentIndex {
			return p
		}
	}
	return nil
}

// open returns the item's entry, making one at the end of the playing order if needed.
func (l *ledger) open(responseID, itemID string, contentIndex int) *playItem {
	if p := l.find(itemID, contentIndex); p != nil {
		return p
	}
	p := &playItem{responseID: responseID, itemID: itemID, contentIndex: contentIndex, voice: l.voice}
	l.items = append(l.items, p)
	return p
}

// remove takes an item out.
func (l *ledger) remove(p *playItem) {
	l.items = slices.DeleteFunc(l.items, func(o *playItem) bool { return o == p })
}

// sounds reports whether there is audio that the caller has not heard to its end.
func (l *ledger) sounds() bool {
	return slices.ContainsFunc(l.items, func(p *playItem) bool { return p.received > 0 })
}

// queue is the audio that waits to be sent.
func (p *playItem) queue() []byte { return p.audio[p.unsent:] }

// receive adds audio of an item. false means that the item exceeds its bound.
func (p *playItem) receive(audio []byte) bool {
	if p.received+int64(len(audio)) > maxItemBytes {
		return false
	}
	p.audio = append(p.audio, audio...)
	p.received += int64(len(audio))
	p.sounding.hear(audio)
	return true
}

// forget drops the first n bytes that are kept. A short rest moves to the front, so that an answer that is heard as
// fast as it arrives always uses the same memory.
func (p *playItem) forget(n int) {
	rest := p.audio[n:]
	p.unsent -= n
	if len(rest) > shortRest {
		p.audio = rest
		return
	}
	p.audio = p.audio[:copy(p.audio, rest)]
}

// addText adds transcript that arrived after the audio received so far. Of several pieces at the same
// position the first counts: text runs ahead of its audio.
func (p *playItem) addText(delta string) {
	if n := len(p.stamps); n == 0 || p.stamps[n-1].audio < p.received {
		p.stamps = append(p.stamps, stamp{audio: p.received, sound: p.sounding.within(p.received), weight: p.weight})
	}
	p.weight += weight(delta)
	p.text.WriteString(delta)
}

// next returns the next frame to send: 20 ms, or the rest of a finished item. The slice is valid until the
// item receives more. nil means that there is nothing to send now.
func (l *ledger) next() (*playItem, []byte) {
	for _, p := range l.items {
		switch queue := p.queue(); {
		case len(queue) >= frameBytes:
			return p, queue[:frameBytes]
		case len(queue) > 0 && p.audioDone:
			return p, queue
		case !p.audioDone:
			return nil, nil // items are played in order: wait for the rest of this one
		}
	}
	return nil, nil
}

// sentFrame books a frame that next returned as sent at now.
func (l *ledger) sentFrame(p *playItem, n int, now time.Time) {
	if l.baseAt.IsZero() || now.After(l.playhead) {
		// The caller's side has run dry (or never played): playing starts again with this frame.
		if l.sent > 0 && p.sent > 0 {
			l.underruns++
		}
		l.playhead = now
		l.base, l.baseAt, l.lag = l.sent, now, 0
	}
	if p.sent == 0 {
		p.start = l.sent
	}
	p.unsent += n
	p.sent += int64(n)
	l.sent += int64(n)
	l.playhead = l.playhead.Add(time.Duration(n) * time.Millisecond / bytesPerMs)
}

// wantsMark reports whether the carrier should be asked now: every 160 ms, and at the end of each item.
func (l *ledger) wantsMark() bool {
	if l.sent == l.marked {
		return false
	}
	if l.sent-l.marked >= markEvery {
		return true
	}
	// The end of an item: all of it is sent and nothing more will come.
	for _, p := range l.items {
		if len(p.queue()) == 0 && p.audioDone && p.start+p.sent == l.sent {
			return true
		}
	}
	return false
}

// mark books a question to the carrier and returns its name, "g{generation}.{sequence}".
func (l *ledger) mark(now time.Time) string {
	expected := l.playhead
	if now.After(expected) {
		expected = now
	}
	l.nextSeq++
	l.marks = append(l.marks, mark{seq: l.nextSeq, pos: l.sent, expected: expected, lead: l.lead.ahead})
	l.marked = l.sent
	return "g" + strconv.Itoa(l.gen) + "." + strconv.Itoa(l.nextSeq)
}

// acknowledge books the echo of a mark at now. Echoes of an older generation prove nothing: after a clear the
// carrier returns every pending mark at once.
func (l *ledger) acknowledge(name string, now time.Time) {
	gen, seq, ok := parseMark(name)
	if !ok || gen != l.gen {
		return
	}
	for i, m := range l.marks {
		if m.seq != seq {
			continue
		}
		if trip := max(0, now.Sub(m.expected)); !l.rttKnown || trip < l.rtt {
			l.rtt, l.rttKnown = trip, true
		}
		l.lead.observe(max(0, now.Sub(m.expected)-l.rtt), m.lead, now)
		l.marks = l.marks[i+1:]
		l.acked = m.pos
		l.release()
		if m.pos > l.base { // not of the audio before an underrun: the clock has started anew since
			l.base, l.baseAt, l.lag = m.pos, now, l.rtt
		}
		return
	}
}

// presume takes all that was sent for played when its marks are long overdue: an echo that got lost must not keep the
// agent speaking for ever. It reports whether it did.
func (l *ledger) presume(now time.Time) bool {
	if p, _ := l.next(); p != nil || l.acked >= l.sent || now.Before(l.playhead.Add(l.rtt+markOverdue)) {
		return false
	}
	l.marks, l.acked = nil, l.sent
	l.release()
	return true
}

// release lets go of audio that was certainly played.
func (l *ledger) release() {
	for _, p := range l.items {
		if p.sent == 0 {
			return
		}
		// The bytes of p.audio before unsent end at p.sent; those up to the acknowledged place are not needed again.
		if played := p.unsent - int(p.sent-p.heardBytes(l.acked)); played > 0 {
			p.forget(played)
		}
	}
}

func parseMark(name string) (gen, seq int, ok bool) {
	g, s, found := strings.Cut(strings.TrimPrefix(name, "g"), ".")
	if !found || !strings.HasPrefix(name, "g") {
		return 0, 0, false
	}
	gen, err1 := strconv.Atoi(g)
	seq, err2 := strconv.Atoi(s)
	return gen, seq, err1 == nil && err2 == nil
}

// heard returns the position that the carrier will have played when a clear sent at now reaches it.
func (l *ledger) heard(now time.Time) int64 {
	if l.baseAt.IsZero() {
		return 0
	}
	elapsed := now.Sub(l.baseAt) + l.lag
	return min(l.base+elapsed.Milliseconds()*bytesPerMs, l.sent)
}

// heardIn returns when the newest n bytes sent will be heard, seen from here: in the time of the caller's audio that
// arrives then.
func (l *ledger) heardIn(n int, now time.Time) time.Duration {
	return l.playhead.Sub(now) - time.Duration(n)*time.Millisecond/bytesPerMs + l.rtt
}

// heardBytes returns how much of an item the caller will have heard at position heard.
func (p *playItem) heardBytes(heard int64) int64 {
	if p.sent == 0 {
		return 0
	}
	return max(0, min(heard-p.start, p.sent))
}

// finished takes out the items that were sent completely and played: certain by an acknowledged mark.
func (l *ledger) finished() []*playItem {
	n := 0
	for n < len(l.items) {
		p := l.items[n]
		if !p.done || len(p.queue()) > 0 || (p.sent > 0 && p.start+p.sent > l.acked) {
			break
		}
		n++
	}
	out := l.items[:n:n]
	l.items = l.items[n:]
	return out
}

// cut ends the generation at now: it returns every unfinished item with what was heard of it, oldest first,
// and forgets them. The caller sends `clear` right after.
func (l *ledger) cut(now time.Time) (items []*playItem, heard int64, unheard int64) {
	heard = l.heard(now)
	items, l.items = l.items, nil
	unheard = l.sent - heard
	l.newGeneration(now)
	return items, heard, unheard
}

// rewind ends the generation at now but keeps what the caller has not heard: sending goes on from there. It returns
// how much had been sent and not heard. The caller sends `clear` right after.
func (l *ledger) rewind(now time.Time) (unheard int64) {
	heard := l.heard(now)
	unheard = l.sent - heard
	for _, p := range l.items {
		n := p.heardBytes(heard)
		p.unsent -= int(p.sent - n)
		p.sent, p.start = n, -n // its first byte lies before this generation's
	}
	l.newGeneration(now)
	return unheard
}

// newRoad forgets how long marks take: they take another way from now on.
func (l *ledger) newRoad() { l.rtt, l.rttKnown = 0, false }

func (l *ledger) newGeneration(now time.Time) {
	l.marks = nil
	l.gen++
	l.sent, l.marked, l.acked, l.base = 0, 0, 0, 0
	l.baseAt, l.lag = time.Time{}, 0
	l.playhead = now
}

// speaking reports whether the caller is hearing, or is about to hear, the agent.
func (l *ledger) speaking() bool { return len(l.items) > 0 }
