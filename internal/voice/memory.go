package voice

import (
	"slices"
	"strings"

	"parley/internal/leg"
)

// Bounds of what a session remembers of its conversation for a model that has to be told it again: about 12,000 tokens,
// and 30 s of the caller's voice where the words are not known.
const (
	maxMemories        = 400
	maxMemoryText      = 48_000 // bytes
	maxRememberedAudio = 30_000 * bytesPerMs
	maxItemID          = 32 // the model's bound for ids that clients give
)

const (
	unknownWords   = "(The caller said something here; the words are not known.)"
	unknownOutcome = `{"error":"the outcome of this call is not known; do not assume that it failed or worked"}`
	leftOut        = "The beginning of this conversation is left out."
)

// memory is the conversation as the caller knows it, in the model's order: what the caller said, what of the agent's
// words was heard, and the tools. It belongs to the session's goroutine.
type memory struct {
	entries []*remembered
	text    int  // bytes of text in entries
	audio   int  // bytes of audio in entries
	cut     bool // its beginning was let go
}

// remembered is one item. id is the model's id of the item, made unique for further content parts (recordID).
type remembered struct {
	id      string
	item    leg.HistoryItem
	missing bool // a turn of the caller whose words will not come
}

func (r *remembered) weight() int { return len(r.item.Text) + len(r.item.Name) + len(r.item.Arguments) }

// spoken reports whether the entry is the agent's.
func (r *remembered) spoken() bool {
	return r.item.Kind == leg.HistoryMessage && r.item.Role == "assistant"
}

func (m *memory) find(id string) *remembered {
	if id == "" {
		return nil
	}
	for _, r := range slices.Backward(m.entries) {
		if r.id == id {
			return r
		}
	}
	return nil
}

// add puts an item behind the one with the id after, or at the end when there is none.
func (m *memory) add(id, after string, item leg.HistoryItem) {
	r := &remembered{id: id, item: item}
	at := len(m.entries)
	if after != "" {
		if i := slices.IndexFunc(m.entries, func(o *remembered) bool { return o.id == after }); i >= 0 {
			at = i + 1
		}
	}
	m.entries = slices.Insert(m.entries, at, r)
	m.text += r.weight()
	m.audio += len(item.Audio)
	m.trim()
}

// set changes an entry's words; with them its sound is not needed any more.
func (m *memory) set(r *remembered, text string) {
	m.text += len(text) - len(r.item.Text)
	m.audio -= len(r.item.Audio)
	r.item.Text, r.item.Audio = text, ""
}

// turn remembers a turn of the caller whose words may follow.
func (m *memory) turn(id, after, audio string) {
	if m.find(id) == nil {
		m.add(id, after, leg.HistoryItem{Role: "user", Audio: audio})
	}
}

// words remembers what the caller said in a turn.
func (m *memory) words(id, text string) {
	switch r := m.find(id); {
	case text == "":
	case r == nil:
		m.add(id, "", leg.HistoryItem{Role: "user", Text: text})
	default:
		m.set(r, text)
		m.trim()
	}
}

// speech makes the place of something that the agent begins to say.
func (m *memory) speech(id string) {
	if m.find(id) == nil {
		m.add(id, "", leg.HistoryItem{Role: "assistant"})
	}
}

// heard remembers what the caller has heard of it.
func (m *memory) heard(id, text string, interrupted bool) {
	m.speech(id)
	if interrupted && text != "" {
		text += "—"
	}
	if r := m.find(id); r != nil { // it may be too long to be remembered
		m.set(r, text)
		m.trim()
	}
}

// forget removes an item that is not part of the conversation any more.
func (m *memory) forget(id string) {
	if i := slices.IndexFunc(m.entries, func(r *remembered) bool { return r.id == id }); i >= 0 && id != "" {
		m.drop(i)
	}
}

func (m *memory) drop(i int) {
	m.text -= m.entries[i].weight()
	m.audio -= len(m.entries[i].item.Audio)
	m.entries = slices.Delete(m.entries, i, i+1)
}

// trim lets go of the oldest items beyond the bounds, a tool's call together with its result, and of the oldest sound.
func (m *memory) trim() {
	for len(m.entries) > maxMemories || m.text > maxMemoryText && len(m.entries) > 1 {
		gone := m.entries[0]
		m.drop(0)
		m.cut = true
		if gone.item.Kind == leg.HistoryToolCall {
			if i := slices.IndexFunc(m.entries, gone.answeredBy); i >= 0 {
				m.drop(i)
			}
		}
	}
	for _, r := range m.entries {
		if m.audio <= maxRememberedAudio {
			break
		}
		m.audio -= len(r.item.Audio)
		r.item.Audio = ""
	}
}

// toldID is the id of the item that a model is given for a remembered one; "" when the model has to make one. A further
// content part is an item of its own there.
func toldID(id string) string {
	if id = strings.ReplaceAll(id, "#", "_"); len(id) > maxItemID {
		return ""
	}
	return id
}

func (r *remembered) answeredBy(o *remembered) bool {
	return o.item.Kind == leg.HistoryToolResult && o.item.CallID == r.item.CallID
}

// wordless returns the ids of the caller's turns whose words are not known.
func (m *memory) wordless() []string {
	var ids []string
	for _, r := range m.entries {
		if r.item.Kind == leg.HistoryMessage && r.item.Role == "user" && r.item.Text == "" {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// missing gives up waiting for the words of such turns and returns the ids of those that were still waited for.
func (m *memory) missing() []string {
	var ids []string
	for _, id := range m.wordless() {
		if r := m.find(id); !r.missing {
			r.missing = true
			ids = append(ids, id)
		}
	}
	return ids
}

// replay is the conversation for a model that joins now. saying tells the words of an item that is still being played,
// running whether a tool call's result is still to come.
func (m *memory) replay(saying func(id string) (words string, ok bool), running func(callID string) bool) []leg.HistoryItem {
	var items []leg.HistoryItem
	if m.cut {
		items = append(items, leg.HistoryItem{Role: "system", Text: leftOut})
	}
	calls := map[string]bool{}
	for _, r := range m.entries {
		h := r.item
		switch {
		case h.Kind == leg.HistoryToolCall:
			calls[h.CallID] = true
			items = append(items, h)
			if !running(h.CallID) && !slices.ContainsFunc(m.entries, r.answeredBy) {
				items = append(items, leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: h.CallID, Text: unknownOutcome})
			}
			continue
		case h.Kind == leg.HistoryToolResult:
			if calls[h.CallID] {
				items = append(items, h)
			}
			continue
		case r.spoken():
			if words, ok := saying(r.id); ok {
				h.Text = words
			}
		case h.Text == "" && h.Audio == "":
			h.Text = unknownWords
		}
		if h.Text == "" && h.Audio == "" {
			continue // nothing of it was heard
		}
		h.ID = toldID(r.id)
		items = append(items, h)
	}
	return items
}
