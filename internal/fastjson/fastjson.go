// Package fastjson walks small JSON objects in place, without reflection or allocation: for the messages that
// arrive a hundred times a second on every call.
//
// It accepts only what the vendors send there: objects of strings, literals and objects, without arrays and
// escapes. Anything else is Bad, and the reader of the message takes encoding/json. What it accepts of valid
// JSON it reads like encoding/json; that invalid JSON is refused is not promised.
package fastjson

import "bytes"

// Kind says what Next found.
type Kind uint8

// The kinds.
const (
	Bad     Kind = iota // not for this package
	String              // a member: key and value without their quotes
	Literal             // a member: number, true, false or null
	Open                // a member that is an object; its members follow, then Close
	Close               // the end of such an object
	End                 // the end of the message
)

// longString is the length from which a value is only searched for escapes: such a value is base64, whose
// decoder refuses all else.
const longString = 64

// Reader walks one message. Make it with Reader{Raw: raw}; the slices it returns are parts of Raw.
type Reader struct {
	Raw []byte

	at    int
	depth int
	more  bool // the current object has had a member
}

// Next returns the next member.
func (r *Reader) Next() (kind Kind, key, value []byte) {
	c := r.next()
	if r.depth == 0 {
		if c != '{' {
			return Bad, nil, nil
		}
		r.at, r.depth = r.at+1, 1
		c = r.next()
	}
	if c == '}' {
		r.at++
		r.depth--
		r.more = true
		if r.depth > 0 {
			return Close, nil, nil
		}
		if r.next(); r.at < len(r.Raw) {
			return Bad, nil, nil
		}
		return End, nil, nil
	}
	if r.more {
		if c != ',' {
			return Bad, nil, nil
		}
		r.at++
		c = r.next()
	}
	key, ok := r.text(c)
	if !ok || r.next() != ':' {
		return Bad, nil, nil
	}
	r.at++
	r.more = true
	switch c = r.next(); c {
	case '"':
		if value, ok = r.text(c); !ok {
			return Bad, nil, nil
		}
		return String, key, value
	case '{':
		r.at++
		r.depth++
		r.more = false
		return Open, key, nil
	}
	if value = r.literal(); len(value) == 0 {
		return Bad, nil, nil
	}
	return Literal, key, value
}

// next skips white space and returns the byte that follows, 0 at the end.
func (r *Reader) next() byte {
	for ; r.at < len(r.Raw); r.at++ {
		switch c := r.Raw[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// text reads a string whose first byte is c.
func (r *Reader) text(c byte) ([]byte, bool) {
	if c != '"' {
		return nil, false
	}
	rest := r.Raw[r.at+1:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil, false
	}
	s := rest[:end]
	r.at += end + 2
	if len(s) > longString {
		return s, bytes.IndexByte(s, '\\') < 0
	}
	for _, b := range s {
		if b < ' ' || b > '~' || b == '\\' {
			return nil, false
		}
	}
	return s, true
}

// literal reads up to the end of a number, true, false or null.
func (r *Reader) literal() []byte {
	from := r.at
	for ; r.at < len(r.Raw); r.at++ {
		switch c := r.Raw[r.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
		default:
			return r.Raw[from:r.at]
		}
	}
	return nil
}
