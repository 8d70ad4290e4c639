package voice

import "parley"

const (
	noticeMs     = 700                 // in which the model certainly says that speech has begun, the way of its word included
	minPrefixMs  = 300                 // the sound before the begin of speech that models count to it, unless told otherwise
	maxTurnAudio = 15_000 * bytesPerMs // kept of a turn under way
	turnSlack    = 1_000 * bytesPerMs  // a turn's audio may be longer by so much
	preRoll      = 500 * bytesPerMs    // given to a new session when the caller does not speak: a word may have begun
)

// tail keeps the caller's newest audio until the model has certainly made a turn of it, so that nothing has to be said
// twice when the model is lost. Positions are bytes given to the model's session so far.
type tail struct {
	ring []byte // the newest audio, kept all the time
	end  int64  // position of the newest byte's end

	turn     []byte // of the turn under way, from its beginning on
	turnFrom int64  // position of turn's first byte
	open     bool   // a turn is under way
	settled  int64  // up to here the model has made turns of everything
}

// prefixOf is how much sound an agent's model counts to a turn before it begins, in ms.
func prefixOf(v *parley.VoiceConfig) int {
	if v == nil {
		return 0
	}
	return v.PrefixPaddingMs
}

// newTail makes the tail for a model that counts prefixMs of sound before the begin of speech to a turn.
func newTail(prefixMs int) tail {
	return tail{ring: make([]byte, (max(prefixMs, minPrefixMs)+noticeMs)*bytesPerMs)}
}

// hear books audio that was given to the model.
func (e *tail) hear(ulaw []byte) {
	for rest := ulaw; len(rest) > 0; {
		n := copy(e.ring[e.end%int64(len(e.ring)):], rest)
		e.end += int64(n)
		rest = rest[n:]
	}
	if e.open {
		e.turn = append(e.turn, ulaw...)
		if excess := len(e.turn) - maxTurnAudio; excess >= turnSlack { // all of it is moved: not with each frame
			e.turn = append(e.turn[:0], e.turn[excess:]...)
			e.turnFrom += int64(excess)
		}
	}
}

// since returns a copy of what was heard from a position on, as far as it is kept.
func (e *tail) since(from int64) []byte {
	size := int64(len(e.ring))
	from = max(from, e.end-size, e.settled, 0)
	if from >= e.end {
		return nil
	}
	out := make([]byte, 0, e.end-from)
	for from < e.end {
		at := from % size
		n := min(e.end-from, size-at)
		out = append(out, e.ring[at:at+n]...)
		from += n
	}
	return out
}

// started says that the caller's turn began at a position.
func (e *tail) started(ms int64) {
	if e.open {
		return
	}
	e.turn = e.since(ms * bytesPerMs)
	e.turnFrom = e.end - int64(len(e.turn))
	e.open = true
}

// stopped says where the turn ended: what follows is not part of it.
func (e *tail) stopped(ms int64) {
	if e.open {
		e.settled = max(e.settled, min(ms*bytesPerMs, e.end))
	}
}

// committed returns the audio of the turn, which is an item of the model's now.
func (e *tail) committed() string {
	if !e.open {
		return ""
	}
	n := int64(len(e.turn))
	if e.settled > e.turnFrom {
		n = min(n, e.settled-e.turnFrom)
	}
	audio := string(e.turn[:n])
	e.settled = max(e.settled, e.turnFrom+n)
	e.turn, e.open = nil, false
	return audio
}

// resume says that a turn under way goes on with what the new session hears from its beginning.
func (e *tail) resume() {
	e.turn, e.turnFrom, e.open = nil, e.end, true
}

// drop gives up the turn under way: it was none.
func (e *tail) drop() { e.turn, e.open = nil, false }

// lost forgets the positions of a session that is gone and returns what the next one has to hear again.
func (e *tail) lost() (audio []byte, midTurn bool) {
	if e.open {
		audio = e.turn
	} else {
		audio = e.since(e.end - preRoll)
	}
	midTurn = e.open
	e.end, e.settled, e.turn, e.open = 0, 0, nil, false
	return audio, midTurn
}

// begins says that the turn under way, whose beginning was only guessed, began at a position.
func (e *tail) begins(ms int64) {
	guessed, from := e.turn, e.turnFrom
	e.open = false
	e.started(ms)
	if n := max(0, min(ms*bytesPerMs-from, int64(len(guessed)))); e.turnFrom > from+n { // more of it was kept for the guess
		e.turn, e.turnFrom = guessed[n:], from+n
	}
}
