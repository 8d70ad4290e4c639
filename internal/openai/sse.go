package openai

import (
	"bytes"
	"errors"
	"io"
)

const (
	sseBuffer  = 1 << 10 // enough for a chunk of a word
	maxSSELine = 2 << 20 // a whole answer in one chunk, quoted
)

var errLongLine = errors.New("the model provider sent a line of more than 2 MiB")

// sse reads server-sent events (WHATWG HTML, section 9.2). It keeps little between two events, because most of its life
// a stream waits for the next word.
type sse struct {
	r          io.Reader
	buf        []byte
	start, end int    // what is read and not yet taken
	joined     []byte // of an event of several data lines
	failed     error
}

// next returns the data of the next event that has any, until the next call. An event that the end cuts off counts only
// when its last line is whole, or is [DONE].
func (s *sse) next() ([]byte, error) {
	var data []byte
	some, several := false, false
	for {
		line, err := s.line()
		if err != nil {
			if some || bytes.Equal(field(line), []byte("[DONE]")) {
				if !some {
					data = field(line)
				}
				return data, nil
			}
			return nil, err
		}
		value := field(line)
		switch {
		case len(line) == 0 && some:
			return data, nil
		case value == nil: // a comment, another field, an empty line
		case !some:
			some = true
			if !s.blankFollows() { // the line goes when the next is read
				s.joined = append(s.joined[:0], value...)
				value, several = s.joined, true
			}
			data = value
		default:
			if !several {
				s.joined, several = append(s.joined[:0], data...), true
			}
			s.joined = append(append(s.joined, '\n'), value...)
			data = s.joined
		}
	}
}

// field is the value of a data line, nil for any other.
func field(line []byte) []byte {
	value, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return nil
	}
	value, _ = bytes.CutPrefix(value, []byte(" "))
	return value
}

// blankFollows reports whether the empty line that ends an event has been read already.
func (s *sse) blankFollows() bool {
	rest := s.buf[s.start:s.end]
	return len(rest) > 0 && rest[0] == '\n' || len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n'
}

// line returns the next line without its end. With an error it is what stands after the last one.
func (s *sse) line() ([]byte, error) {
	for looked := 0; ; {
		if i := bytes.IndexByte(s.buf[s.start+looked:s.end], '\n'); i >= 0 {
			line := s.buf[s.start : s.start+looked+i]
			s.start += looked + i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		looked = s.end - s.start
		if s.failed != nil {
			rest := s.buf[s.start:s.end]
			s.start = s.end
			return rest, s.failed
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more behind what is there.
func (s *sse) fill() error {
	switch {
	case s.buf == nil:
		s.buf = make([]byte, sseBuffer)
	case s.start > 0:
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	case s.end == len(s.buf):
		if s.end >= maxSSELine {
			return errLongLine
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.r.Read(s.buf[s.end:])
	s.end += n
	s.failed = err
	return nil
}
