package parley

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// AgentCursor is a place in a list of agents: right after an agent with these values, whether or not it
// still exists. A list that continues at a cursor neither repeats nor skips agents because of others that
// came or went meanwhile.
type AgentCursor struct {
	Time   time.Time // the agent's time, when the list is sorted by createdAt or updatedAt; microseconds
	Name   string    // the agent's name as it was written, when the list is sorted by name
	ID     string
	Offset int // how many agents came before the place
}

// The text of a cursor is, in base64url: a version, 8 bytes that stand for the list (its filters and order),
// the offset, the id, and the time or name.
const (
	cursorVersion = 1
	maxCursor     = 2048 // of the text; the longest name makes fewer than 1,500
)

// Cursor writes the cursor of the place after last, which is the agent at offset-1 of the filter's list.
func (f AgentFilter) Cursor(last Agent, offset int) string {
	c := AgentCursor{ID: last.ID, Offset: offset}
	switch f.Sort {
	case "name":
		c.Name = last.Name
	case "updatedAt":
		c.Time = last.UpdatedAt
	default:
		c.Time = last.CreatedAt
	}
	return f.encodeCursor(c)
}

func (f AgentFilter) encodeCursor(c AgentCursor) string {
	b := append([]byte{cursorVersion}, f.fingerprint()...)
	b = binary.AppendUvarint(b, uint64(max(c.Offset, 0)))
	id, _ := hex.DecodeString(strings.ReplaceAll(c.ID, "-", "")) // ids are UUIDs
	b = append(b, id...)
	if f.Sort == "name" {
		b = append(b, c.Name...)
	} else {
		b = binary.BigEndian.AppendUint64(b, uint64(c.Time.UnixMicro()))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads a cursor that Cursor wrote for a filter with the same conditions and order; Limit and
// Offset may differ. Anything else is a CodeInvalid error on the field "cursor".
func (f AgentFilter) ParseCursor(text string) (*AgentCursor, error) {
	c, ok := f.decodeCursor(text)
	if !ok || f.encodeCursor(c) != text { // one text for one place
		return nil, Invalid([]FieldError{{Field: "cursor", Message: "must be the nextCursor of a list with the same filters and order."}})
	}
	return &c, nil
}

func (f AgentFilter) decodeCursor(text string) (c AgentCursor, ok bool) {
	if len(text) > maxCursor {
		return c, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, false
	}
	rest, ok := strings.CutPrefix(string(b), string(rune(cursorVersion))+string(f.fingerprint()))
	if !ok {
		return c, false
	}
	offset, n := binary.Uvarint([]byte(rest))
	if n <= 0 || offset > math.MaxInt32 || len(rest) < n+16 {
		return c, false
	}
	c.Offset = int(offset)
	id := hex.EncodeToString([]byte(rest[n : n+16]))
	c.ID = id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	rest = rest[n+16:]
	if f.Sort == "name" {
		c.Name = rest
		return c, utf8.ValidString(rest) && !strings.Contains(rest, "\x00") && utf8.RuneCountInString(rest) <= MaxAgentName
	}
	if len(rest) != 8 {
		return c, false
	}
	c.Time = time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(rest)))).UTC()
	return c, true
}

// fingerprint stands for the list that a cursor belongs to. It guards against mistakes, not against malice:
// a cursor gives access to nothing.
func (f AgentFilter) fingerprint() []byte {
	if f.Sort == "" {
		f.Sort = "createdAt"
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %q %q %t %q %t", f.Type, f.Status, f.Search, f.IncludeDeleted, f.Sort, f.Ascending) // a hash never fails
	return h.Sum(nil)
}
