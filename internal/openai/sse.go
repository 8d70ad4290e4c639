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
	data       []byte // of the event
	failed     error
}

// next returns the data of the next event that has any, until the next call. An event that the end cuts off counts only
// when its last line is whole, or is [DONE].
func (s *sse) next() ([]byte, error) {
	s.data = s.data[:0]
	for some := false; ; {
		line, err := s.line()
		value := field(line)
		switch {
		case err != nil && some, err == nil && some && len(line) == 0:
			return s.data, nil
		case err != nil && string(value) == "[DONE]":
			return value, nil
		case err != nil:
			return nil, err
		case value != nil: // else a comment, another field, an empty line
			if some {
				s.data = append(s.data, '\n')
			}
			s.data, some = append(s.data, value...), true
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
