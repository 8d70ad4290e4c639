package ws

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// closing is the payload of a close frame.
func closing(status int, reason string) string {
	return string([]byte{byte(status >> 8), byte(status)}) + reason
}

// conformance is in the order of the Autobahn test suite, for both roles.
var conformance = map[string]struct {
	frames   []frame
	messages []string // t: or b: and the content, or its length
	pongs    []string
	status   int // of our goodbye; 0: the peer's own 1000 is answered
}{
	"empty text":          {frames: []frame{{fin | 1, "", false}}, messages: []string{"t:"}},
	"text of 125":         {frames: []frame{{fin | 1, strings.Repeat("*", 125), false}}, messages: []string{"t:125"}},
	"text of 126":         {frames: []frame{{fin | 1, strings.Repeat("*", 126), false}}, messages: []string{"t:126"}},
	"text of 65535":       {frames: []frame{{fin | 1, strings.Repeat("*", 65535), false}}, messages: []string{"t:65535"}},
	"text of 65536":       {frames: []frame{{fin | 1, strings.Repeat("*", 65536), false}}, messages: []string{"t:65536"}},
	"binary":              {frames: []frame{{fin | 2, "\xfe\xff", false}}, messages: []string{"b:\xfe\xff"}},
	"empty binary":        {frames: []frame{{fin | 2, "", false}}, messages: []string{"b:"}},
	"binary of 200000":    {frames: []frame{{fin | 2, strings.Repeat("*", 200000), false}}, messages: []string{"b:200000"}},
	"several in one read": {frames: []frame{{fin | 1, "a", false}, {fin | 2, "b", false}, {fin | 1, "c", false}}, messages: []string{"t:a", "b:b", "t:c"}},

	"ping":               {frames: []frame{{fin | 9, "", false}}, pongs: []string{""}},
	"ping with payload":  {frames: []frame{{fin | 9, "\x00\xff\xfe", false}}, pongs: []string{"\x00\xff\xfe"}},
	"ping of 125":        {frames: []frame{{fin | 9, strings.Repeat("\xfe", 125), false}}, pongs: []string{strings.Repeat("\xfe", 125)}},
	"ping of 126":        {frames: []frame{{fin | 9, strings.Repeat("\xfe", 126), false}}, status: 1002},
	"unasked pong":       {frames: []frame{{fin | 10, "hello", false}, {fin | 1, "x", false}}, messages: []string{"t:x"}},
	"pong, then a ping":  {frames: []frame{{fin | 10, "", false}, {fin | 9, "p", false}}, pongs: []string{"p"}},
	"ten pings":          {frames: slices.Repeat([]frame{{fin | 9, "p", false}}, 10), pongs: slices.Repeat([]string{"p"}, 10)},
	"ping in fragments":  {frames: []frame{{9, "a", false}, {fin, "b", false}}, status: 1002},
	"pong in fragments":  {frames: []frame{{10, "a", false}, {fin, "b", false}}, status: 1002},
	"close in fragments": {frames: []frame{{8, closing(1000, ""), false}}, status: 1002},

	"RSV1":                      {frames: []frame{{fin | 0x40 | 1, "x", false}}, status: 1002},
	"RSV2":                      {frames: []frame{{fin | 0x20 | 1, "x", false}}, status: 1002},
	"RSV3":                      {frames: []frame{{fin | 0x10 | 2, "x", false}}, status: 1002},
	"RSV on a ping":             {frames: []frame{{fin | 0x70 | 9, "", false}}, status: 1002},
	"RSV behind a message":      {frames: []frame{{fin | 1, "x", false}, {fin | 0x40 | 1, "y", false}}, messages: []string{"t:x"}, status: 1002},
	"RSV on a continuation":     {frames: []frame{{1, "x", false}, {fin | 0x40, "y", false}}, status: 1002},
	"opcode 3":                  {frames: []frame{{fin | 3, "", false}}, status: 1002},
	"opcode 7":                  {frames: []frame{{fin | 7, "x", false}}, status: 1002},
	"opcode 11":                 {frames: []frame{{fin | 11, "", false}}, status: 1002},
	"opcode 15":                 {frames: []frame{{fin | 15, "x", false}}, status: 1002},
	"masked as the other role":  {frames: []frame{{fin | 1, "x", true}}, status: 1002},
	"control as the other role": {frames: []frame{{fin | 9, "x", true}}, status: 1002},

	"two fragments":                    {frames: []frame{{1, "frag", false}, {fin, "ment", false}}, messages: []string{"t:fragment"}},
	"binary fragments":                 {frames: []frame{{2, "\xff", false}, {0, "\xfe", false}, {fin, "\xfd", false}}, messages: []string{"b:\xff\xfe\xfd"}},
	"empty fragments":                  {frames: []frame{{1, "", false}, {0, "", false}, {fin, "", false}}, messages: []string{"t:"}},
	"empty fragments around":           {frames: []frame{{1, "", false}, {0, "x", false}, {fin, "", false}}, messages: []string{"t:x"}},
	"thousands of empty fragments":     {frames: append(append([]frame{{1, "a", false}}, slices.Repeat([]frame{{0, "", false}}, 20000)...), frame{fin, "b", false}), messages: []string{"t:ab"}},
	"fragments of one byte":            {frames: append(append([]frame{{1, "", false}}, slices.Repeat([]frame{{0, "x", false}}, 10000)...), frame{fin, "", false}), messages: []string{"t:10000"}},
	"large fragments":                  {frames: []frame{{2, strings.Repeat("*", 70000), false}, {0, strings.Repeat("*", 60000), false}, {fin, strings.Repeat("*", 5), false}}, messages: []string{"b:130005"}},
	"ping between fragments":           {frames: []frame{{1, "a", false}, {fin | 9, "p", false}, {0, "b", false}, {fin | 9, "q", false}, {fin, "c", false}}, messages: []string{"t:abc"}, pongs: []string{"p", "q"}},
	"pong between fragments":           {frames: []frame{{1, "a", false}, {fin | 10, "p", false}, {fin, "c", false}}, messages: []string{"t:ac"}},
	"continuation of nothing":          {frames: []frame{{fin, "x", false}}, status: 1002},
	"continuation of nothing, not fin": {frames: []frame{{0, "x", false}}, status: 1002},
	"continuation of a whole message":  {frames: []frame{{fin | 1, "x", false}, {fin, "y", false}}, messages: []string{"t:x"}, status: 1002},
	"text within text":                 {frames: []frame{{1, "x", false}, {fin | 1, "y", false}}, status: 1002},
	"binary within text":               {frames: []frame{{1, "x", false}, {2, "y", false}}, status: 1002},
	"close between fragments":          {frames: []frame{{1, "x", false}, {fin | 8, closing(1000, ""), false}}, status: 1000},

	"UTF-8":                       {frames: []frame{{fin | 1, "Hello-µ@ßöäüàá-UTF-8!! \U0001F600", false}}, messages: []string{"t:Hello-µ@ßöäüàá-UTF-8!! \U0001F600"}},
	"UTF-8 across fragments":      {frames: []frame{{1, "\xce", false}, {fin, "\xba", false}}, messages: []string{"t:κ"}},
	"invalid UTF-8":               {frames: []frame{{fin | 1, "\xce\xba\xed\xa0\x80edited", false}}, status: 1007},
	"invalid UTF-8 in fragments":  {frames: []frame{{1, "ok\xf4", false}, {fin, "\x90\x80\x80", false}}, status: 1007},
	"cut UTF-8":                   {frames: []frame{{fin | 1, "\xf0\x9f\x98", false}}, status: 1007},
	"overlong UTF-8":              {frames: []frame{{fin | 1, "\xc0\xaf", false}}, status: 1007},
	"invalid UTF-8 after a valid": {frames: []frame{{fin | 1, "ok", false}, {fin | 1, "\xff", false}}, messages: []string{"t:ok"}, status: 1007},

	"close":                         {frames: []frame{{fin | 8, closing(1000, ""), false}}, status: 1000},
	"close without status":          {frames: []frame{{fin | 8, "", false}}, status: StatusNone},
	"close with a reason":           {frames: []frame{{fin | 8, closing(1001, "Hello µ"), false}}, status: 1001},
	"close with the longest reason": {frames: []frame{{fin | 8, closing(3000, strings.Repeat("*", 123)), false}}, status: 3000},
	"close with too much":           {frames: []frame{{fin | 8, closing(1000, strings.Repeat("*", 124)), false}}, status: 1002},
	"close of one byte":             {frames: []frame{{fin | 8, "x", false}}, status: 1002},
	"close with an invalid reason":  {frames: []frame{{fin | 8, closing(1000, "\xed\xa0\x80"), false}}, status: 1007},
	"a ping after the close":        {frames: []frame{{fin | 8, closing(1000, ""), false}, {fin | 9, "late", false}}, status: 1000},
	"text after the close":          {frames: []frame{{fin | 8, closing(1000, ""), false}, {fin | 1, "late", false}}, status: 1000},

	"at the limit":                {frames: []frame{{2, strings.Repeat("*", 200000), false}, {fin, strings.Repeat("*", 62144), false}}, messages: []string{"b:262144"}},
	"over the limit":              {frames: []frame{{fin | 2, strings.Repeat("*", 262145), false}}, status: 1009},
	"over the limit in pieces":    {frames: []frame{{2, strings.Repeat("*", 262144), false}, {fin, "*", false}}, status: 1009},
	"the limit is per message":    {frames: slices.Repeat([]frame{{fin | 2, strings.Repeat("*", 100000), false}}, 4), messages: slices.Repeat([]string{"b:100000"}, 4)},
	"over the limit after a ping": {frames: []frame{{2, strings.Repeat("*", 262144), false}, {fin | 9, "p", false}, {0, "*", false}}, pongs: []string{"p"}, status: 1009},
}

func init() {
	for _, status := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		c := conformance["close"]
		c.frames, c.status = []frame{{fin | 8, closing(status, ""), false}}, status
		conformance[fmt.Sprintf("close with %d", status)] = c
	}
	for _, status := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		c := conformance["close"]
		c.frames, c.status = []frame{{fin | 8, closing(status, ""), false}}, 1002
		conformance[fmt.Sprintf("close with %d", status)] = c
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, c := range conformance {
		for _, client := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/client=%v", name, client), func(t *testing.T) {
				t.Parallel()
				c := c // changed below
				w, peer := rawPair(t, client, Options{ReadLimit: 262144})
				if c.status == 0 {
					c.status = 1000
					c.frames = append(slices.Clip(c.frames), frame{fin | 8, closing(1000, ""), false})
				}
				go func() { // large frames need a reader
					var b []byte
					for _, f := range c.frames {
						b = f.append(b, peer.masked)
					}
					_, _ = peer.conn.Write(b)
				}()
				var got []string
				var end error
				for end == nil {
					msg, binary, err := w.ReadEither()
					if end = err; err == nil {
						got = append(got, brief(msg, binary))
					}
				}
				if !slices.Equal(got, c.messages) {
					t.Errorf("got %q, want %q", got, c.messages)
				}
				for _, want := range c.pongs {
					if op, got, err := peer.receive(); err != nil || op != opPong || string(got) != want {
						t.Fatalf("got opcode %d %q, %v; want a pong %q", op, got, err, want)
					}
				}
				if status := peer.receiveClose(); status != c.status {
					t.Errorf("goodbye with status %d, want %d: %v", status, c.status, end)
				}
				peer.receiveEOF()
				var wrong *violation
				if said := CloseStatus(end); said != c.status && !errors.As(end, &wrong) {
					t.Errorf("the reader got %v", end)
				}
				if _, _, again := w.ReadEither(); !errors.Is(again, end) {
					t.Errorf("then %v", again)
				}
				_ = peer.conn.Close()
				<-w.Done()
			})
		}
	}
}

func brief(msg []byte, binary bool) string {
	kind := "t:"
	if binary {
		kind = "b:"
	}
	if len(msg) > 100 {
		return fmt.Sprintf("%s%d", kind, len(msg))
	}
	return kind + string(msg)
}

// TestReaderAtEveryCut feeds the table in pieces of every small size, so that a frame is cut at each of its bytes.
func TestReaderAtEveryCut(t *testing.T) {
	t.Parallel()
	for name, c := range conformance {
		for _, piece := range []int{1, 2, 3, 7, 13, 509, 4093} {
			var stream []byte
			for _, f := range c.frames {
				stream = f.append(stream, true)
			}
			if len(stream)/piece > 50_000 {
				continue
			}
			got, pongs, _ := takeApart(stream, piece, 262144)
			if !slices.Equal(got, c.messages) || !slices.Equal(pongs, c.pongs) {
				t.Errorf("%s in pieces of %d: messages %q, pings %q", name, piece, got, pongs)
			}
		}
	}
}
