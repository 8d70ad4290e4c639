package voice

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"parley/internal/leg"
)

func replayOf(m *memory, running ...string) []leg.HistoryItem {
	return m.replay(func(string) (string, bool) { return "", false }, func(id string) bool { return strings.Contains(strings.Join(running, " "), id) })
}

// lines shows a history shortly: "user: hello", "call c1", "result c1".
func lines(items []leg.HistoryItem) string {
	var out []string
	for _, h := range items {
		switch {
		case h.Kind == leg.HistoryToolCall:
			out = append(out, "call "+h.CallID)
		case h.Kind == leg.HistoryToolResult:
			out = append(out, "result "+h.CallID)
		case h.Audio != "":
			out = append(out, h.Role+" sounds")
		default:
			out = append(out, h.Role+": "+h.Text)
		}
	}
	return strings.Join(out, "\n")
}

func TestMemoryKeepsTheModelsOrder(t *testing.T) {
	t.Parallel()
	m := &memory{}
	m.turn("u1", "", "")
	m.speech("a1")
	m.speech("a2")
	m.turn("u2", "a1", "audio") // said into the first item; told late
	m.words("u1", "one")
	m.heard("a1", "first", false)
	m.heard("a2", "sec", true)
	m.speech("a3")              // never heard
	m.heard("a4", "", true)     // interrupted before its first word
	m.words("u9", "unheard of") // no turn was ever committed
	m.words("u9", "")           // a second transcript says nothing
	m.turn("u9", "", "again")   // and a second commit neither
	if got, want := lines(replayOf(m)), "user: one\nassistant: first\nuser sounds\nassistant: sec—\nuser: unheard of"; got != want {
		t.Errorf("replayed\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(m.missing(), " "); got != "u2" {
		t.Errorf("missing %q", got)
	}
	if got := m.missing(); len(got) != 0 {
		t.Errorf("missing again: %q", got)
	}
	m.words("u2", "two")
	m.forget("a2")
	m.forget("")
	m.forget("nobody")
	if got, want := lines(replayOf(m)), "user: one\nassistant: first\nuser: two\nuser: unheard of"; got != want || m.audio != 0 {
		t.Errorf("replayed\n%s\nwant\n%s", got, want)
	}
}

func TestMemoryOfTools(t *testing.T) {
	t.Parallel()
	m := &memory{}
	m.add("", "", leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: "stray", Text: "x"}) // its call is not known
	for _, id := range []string{"answered", "running", "lost"} {
		m.add("f-"+id, "", leg.HistoryItem{Kind: leg.HistoryToolCall, CallID: id, Name: "look_up", Arguments: "{}"})
	}
	m.add("", "", leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: "answered", Text: "x"})
	items := replayOf(m, "running")
	if got, want := lines(items), "call answered\ncall running\ncall lost\nresult lost\nresult answered"; got != want {
		t.Errorf("replayed\n%s\nwant\n%s", got, want)
	}
	if items[3].Text != unknownOutcome {
		t.Errorf("a lost result is told as %q", items[3].Text)
	}
}

// TestMemoryIsBounded: whatever happens in a long call, what is remembered and replayed stays within its bounds, newest
// first, and every result follows its call.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		m := &memory{}
		var open []string
		for i := range 3000 {
			id := fmt.Sprint("i", i)
			switch rnd.IntN(6) {
			case 0:
				m.turn(id, fmt.Sprint("i", i-rnd.IntN(3)), strings.Repeat("x", rnd.IntN(60_000)))
			case 1:
				m.words(fmt.Sprint("i", i-rnd.IntN(5)), strings.Repeat("w", rnd.IntN(400)))
			case 2:
				m.heard(id, strings.Repeat("h", rnd.IntN(900)), rnd.IntN(2) == 0)
			case 3:
				m.add(id, "", leg.HistoryItem{Kind: leg.HistoryToolCall, CallID: id, Name: "n", Arguments: strings.Repeat("a", rnd.IntN(300))})
				open = append(open, id)
			case 4:
				if len(open) > 0 {
					m.add("", "", leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: open[0], Text: strings.Repeat("r", rnd.IntN(20_000))})
					open = open[1:]
				}
			case 5:
				m.forget(fmt.Sprint("i", i-rnd.IntN(4)))
			}
			text, audio := 0, 0
			for _, r := range m.entries {
				text, audio = text+r.weight(), audio+len(r.item.Audio)
			}
			if text != m.text || audio != m.audio || audio > maxRememberedAudio || len(m.entries) > maxMemories || text > maxMemoryText && len(m.entries) > 1 {
				t.Fatalf("seed %d, step %d: %d entries, text %d (%d), audio %d (%d)", seed, i, len(m.entries), text, m.text, audio, m.audio)
			}
		}
		items, called := replayOf(m, open...), map[string]bool{}
		if items[0].Text != leftOut {
			t.Errorf("seed %d: the replay does not say that it is not the whole: %q", seed, items[0].Text)
		}
		for _, h := range items {
			if h.Kind == leg.HistoryToolResult && !called[h.CallID] {
				t.Errorf("seed %d: a result without its call", seed)
			}
			called[h.CallID] = called[h.CallID] || h.Kind == leg.HistoryToolCall
			if h.Kind == leg.HistoryMessage && h.Text == "" && h.Audio == "" || len(h.ID) > maxItemID {
				t.Errorf("seed %d: item %+v", seed, h)
			}
		}
	}
}
