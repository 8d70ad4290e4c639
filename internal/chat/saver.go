package chat

import (
	"context"
	"encoding/json"
	"sync"
	"time"
	"unicode/utf8"

	"parley/internal/log"
	"parley/internal/store"
)

// How often the text of an answer is stored: what a reader of another process waits for, and what a kill may cost.
const (
	saveEvery = 250 * time.Millisecond
	saveChars = 500
)

// saver stores a run while it goes on, in chunks that are committed with the log's events. It stores each character
// once. The first words are stored at once: a run that has said something is never begun again. It is safe for
// concurrent use and holds no goroutine.
type saver struct {
	run *Run
	row store.Run // which attempt of whom
	w   *log.Writer

	mu     sync.Mutex
	timer  *time.Timer
	armed  bool
	fresh  int // characters that are not on their way to the store
	offset int // bytes and marks that are
	marks  int
	seq    int64
}

func newSaver(run *Run, row store.Run, w *log.Writer) *saver { return &saver{run: run, row: row, w: w} }

// said notes text that the run has been given.
func (s *saver) said(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh += utf8.RuneCountInString(text)
	switch {
	case s.offset == 0 || s.fresh >= saveChars:
		s.saveLocked()
	case s.armed:
	case s.timer == nil:
		s.timer, s.armed = time.AfterFunc(saveEvery, s.save), true
	default:
		s.timer.Reset(saveEvery)
		s.armed = true
	}
}

// save hands everything that is not stored to the log.
func (s *saver) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saveLocked()
}

func (s *saver) saveLocked() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.armed, s.fresh = false, 0
	var pieces []piece
	pieces, s.offset, s.marks = s.run.since(s.offset, s.marks)
	if len(pieces) == 0 {
		return
	}
	chunks, size := make([]store.Chunk, len(pieces)), 0
	for i, p := range pieces {
		s.seq++
		c := store.Chunk{Seq: s.seq, Text: p.text}
		if p.event != nil {
			data, _ := json.Marshal(p.event.Data) // all of them marshal
			c.Type, c.Data = p.event.Type, string(data)
		}
		chunks[i] = c
		size += len(c.Text) + len(c.Data) + chunkBytes
	}
	s.w.Along(size, func(ctx context.Context, tx *store.Tx) error { return tx.AppendChunks(ctx, s.run.OrgID, s.row, chunks) })
}

// chunkBytes is what a chunk takes beside its text.
const chunkBytes = 96

// load puts a stored chunk into a run that is read back.
func (r *Run) load(c store.Chunk) {
	if c.Text != "" {
		r.addText(c.Text)
	}
	switch c.Type {
	case EventToolStarted, EventToolCompleted:
		var d ToolData
		_ = json.Unmarshal([]byte(c.Data), &d) // our own
		r.add(c.Type, d)
	case EventToolRequested:
		var d ToolRequestedData
		_ = json.Unmarshal([]byte(c.Data), &d) // our own
		r.add(c.Type, d)
	}
}
