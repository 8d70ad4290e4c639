package respond

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Heartbeat is how often an idle stream shows that it lives (contract: at most 20 s apart).
const Heartbeat = 15 * time.Second

// writeAllowed is for one event to a slow reader.
const writeAllowed = 30 * time.Second

// Stream writes server-sent events. The first error, such as a reader that takes nothing for 30 s, stops it. It is not
// safe for concurrent use.
type Stream struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	err error
}

// NewStream begins the answer and sends its headers.
func NewStream(w http.ResponseWriter) *Stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the stream back
	h.Set("X-Content-Type-Options", "nosniff")
	s := &Stream{w: w, rc: http.NewResponseController(w)}
	s.deadline()
	w.WriteHeader(http.StatusOK)
	s.err = s.rc.Flush()
	return s
}

// Err is why the stream has stopped; nil while it has not.
func (s *Stream) Err() error { return s.err }

// Send writes an event, whose data must marshal.
func (s *Stream) Send(id int64, typ string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		s.err = err
		return
	}
	s.write("id: %d\nevent: %s\ndata: %s\n\n", id, typ, raw)
}

// Beat writes a comment, which readers pass over.
func (s *Stream) Beat() { s.write(": still here\n\n") }

func (s *Stream) write(format string, args ...any) {
	if s.err != nil {
		return
	}
	s.deadline()
	if _, s.err = fmt.Fprintf(s.w, format, args...); s.err == nil {
		s.err = s.rc.Flush()
	}
}

// deadline replaces the server's, which would cut the stream.
func (s *Stream) deadline() { _ = s.rc.SetWriteDeadline(time.Now().Add(writeAllowed)) }
