package model

import (
	"log/slog"
	"time"
)

// Options say how the simulated model behaves. The zero value is a healthy model.
type Options struct {
	// Speed is how many times faster than real time audio is generated; default 5.
	Speed float64
	// FirstDelta is the wait from response.created to the first output; default 150 ms, negative for none.
	FirstDelta time.Duration
	// ChunkMs are the lengths of successive audio deltas, used in turn; default uneven, 50–410 ms.
	ChunkMs []int
	// LateDeltas is how many further deltas a cancelled response still sends; default 2, negative for none.
	LateDeltas int
	// TranscriptionDelay is the wait from a committed turn to its transcript; default 300 ms.
	TranscriptionDelay time.Duration
	// TranscriptAfterResponse holds transcripts back until the next response is done.
	TranscriptAfterResponse bool
	// FailTranscription answers with …transcription.failed instead.
	FailTranscription bool
	// MaxAge ends a Realtime session with session_expired; default 60 minutes.
	MaxAge time.Duration
	// RefuseKey answers every request with 401 as if the key were wrong.
	RefuseKey bool
	// Status, when not 0, answers every request with this HTTP status (429, 500, 503 …).
	Status int
	// DropAfter cuts a Realtime connection without a close frame at this age; 0 = never.
	DropAfter time.Duration
	// Mute accepts everything on a Realtime connection and answers nothing after session.created.
	Mute bool
	// Brain decides what is said; default DefaultBrain.
	Brain Brain
	// ChatBrain decides chat answers; default DefaultChatBrain.
	ChatBrain ChatBrain
	// OnMessage sees every Realtime message, from the connection's goroutine; it must not block or keep raw.
	OnMessage func(c *Conn, dir Direction, raw []byte)
	// Logger is for failures of the simulator itself; default: none.
	Logger *slog.Logger
}

// Direction tells who sent a message.
type Direction int

// The two directions of a Realtime connection.
const (
	FromClient Direction = iota
	ToClient
)

func (o Options) withDefaults() Options {
	if o.Speed == 0 {
		o.Speed = 5
	}
	if o.FirstDelta == 0 {
		o.FirstDelta = 150 * time.Millisecond
	}
	if len(o.ChunkMs) == 0 {
		o.ChunkMs = []int{50, 113, 237, 401, 171, 94, 313} // never multiples of 20 ms, which a phone needs
	}
	if o.LateDeltas == 0 {
		o.LateDeltas = 2
	}
	if o.TranscriptionDelay == 0 {
		o.TranscriptionDelay = 300 * time.Millisecond
	}
	if o.MaxAge == 0 {
		o.MaxAge = time.Hour
	}
	if o.Brain == nil {
		o.Brain = DefaultBrain{}
	}
	if o.ChatBrain == nil {
		o.ChatBrain = DefaultChatBrain{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
