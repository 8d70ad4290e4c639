package voice

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"parley/internal/leg"
)

// modelSim records what the session asks of the model; the test says what the model does.
type modelSim struct {
	events chan leg.ModelEvent
	once   sync.Once
	done   chan struct{}

	obliging bool      // says at once that its session is configured
	expires  time.Time // of its session, when obliging

	gate      sync.Mutex // of events
	gone      bool
	swallowed bool // nothing of it arrives any more

	mu         sync.Mutex
	answer     func(leg.Ask) (text string, ms int)
	asks       []leg.Ask
	sent       []string // one line per client event
	n          int
	heardAudio int

	onAudio  func([]byte) // what the model does by itself; nil = nothing
	onCreate func()
	onCancel func(responseID string)
}

func newModelSim() *modelSim {
	return &modelSim{events: make(chan leg.ModelEvent, 10_000), done: make(chan struct{})}
}

// heard is how much of the caller's audio the model got, in bytes.
func (m *modelSim) heard() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heardAudio
}

func (m *modelSim) note(format string, args ...any) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	m.sent = append(m.sent, fmt.Sprintf(format, args...))
	return fmt.Sprintf("e%d", m.n)
}

func (m *modelSim) log() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.sent...)
}

func (m *modelSim) Events() <-chan leg.ModelEvent { return m.events }
func (m *modelSim) Err() error                    { return nil }
func (m *modelSim) Probe() error {
	m.say(leg.ModelEvent{Kind: leg.ModelSessionUpdated})
	return nil
}
func (m *modelSim) Close() { m.once.Do(func() { close(m.done) }) }
func (m *modelSim) Wait()  {}
func (m *modelSim) Configure(leg.SessionConfig) (string, error) {
	if m.obliging {
		m.say(leg.ModelEvent{Kind: leg.ModelSessionCreated, Expires: m.expires}, leg.ModelEvent{Kind: leg.ModelSessionUpdated})
	}
	return m.note("configure"), nil
}
func (m *modelSim) AddItem(h leg.HistoryItem) error {
	switch place := ""; {
	case h.Kind == leg.HistoryToolCall:
		m.note("call %s %s %s", h.CallID, h.Name, h.Arguments)
	case h.Kind == leg.HistoryToolResult:
		m.note("result %s %s", h.CallID, h.Text)
	case h.Audio != "":
		m.note("history %s audio", h.Role)
		m.mu.Lock()
		m.heardAudio += len(h.Audio)
		m.mu.Unlock()
	default:
		if h.After != "" {
			place = " after " + h.After
		}
		m.note("history %s %s%s", h.Role, h.Text, place)
	}
	return nil
}
func (m *modelSim) AppendAudio(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heardAudio += len(b)
	if m.onAudio != nil {
		m.onAudio(b)
	}
	return nil
}
func (m *modelSim) CreateResponse(a leg.Ask) (string, error) {
	m.mu.Lock()
	m.asks = append(m.asks, a)
	n, answer := len(m.asks), m.answer
	m.mu.Unlock()
	if m.onCreate != nil {
		m.onCreate()
	}
	if answer != nil {
		if text, ms := answer(a); ms >= 0 {
			id := fmt.Sprintf("%p-%d", m, n)
			m.reply("r"+id, "a"+id, text, ms)
			m.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: "r" + id, Status: "completed"})
		}
	}
	if a.Purpose != "" {
		return m.note("create %s", a.Purpose), nil
	}
	if a.Instructions != "" {
		return m.note("create with instructions"), nil
	}
	return m.note("create"), nil
}
func (m *modelSim) CancelResponse(id string) (string, error) {
	if m.onCancel != nil {
		m.onCancel(id)
	}
	return m.note("cancel %s", id), nil
}
func (m *modelSim) Truncate(item string, index int, ms int64) (string, error) {
	return m.note("truncate %s/%d %d", item, index, ms), nil
}
func (m *modelSim) DeleteItem(item string) (string, error) { return m.note("delete %s", item), nil }
func (m *modelSim) SendToolResult(id, out string) error    { m.note("result %s %s", id, out); return nil }

// say sends events, unless the session has vanished.
func (m *modelSim) say(evs ...leg.ModelEvent) {
	m.gate.Lock()
	defer m.gate.Unlock()
	for _, ev := range evs {
		if !m.gone && !m.swallowed {
			m.events <- ev
		}
	}
}

// fallSilent lets nothing of the session through any more; the connection stays open.
func (m *modelSim) fallSilent() {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.swallowed = true
}

// vanish cuts the session.
func (m *modelSim) vanish() {
	m.gate.Lock()
	defer m.gate.Unlock()
	if !m.gone {
		m.gone = true
		close(m.events)
	}
}

// answers makes it answer every response.create from now on: with the words and so many milliseconds of audio, at
// once; not when they are negative.
func (m *modelSim) answers(answer func(leg.Ask) (text string, ms int)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// asked is what responses were asked for.
func (m *modelSim) asked() []leg.Ask {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]leg.Ask(nil), m.asks...)
}

// begins lets the model begin a spoken item.
func (m *modelSim) begins(resp, item string) {
	m.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: resp},
		leg.ModelEvent{Kind: leg.ModelItemAdded, ResponseID: resp, ItemID: item, ItemType: "message"})
}

// reply is rig.reply.
func (m *modelSim) reply(resp, item, text string, ms int) {
	m.begins(resp, item)
	m.part(resp, item, text, ms)
	m.say(
		leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: resp, ItemID: item},
		leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: resp, ItemID: item, ItemType: "message", Status: "completed"},
	)
}

func (m *modelSim) part(resp, item, text string, ms int) {
	m.say(leg.ModelEvent{Kind: leg.ModelText, ResponseID: resp, ItemID: item, Text: text})
	for ms > 0 {
		n := min(ms, 130) // uneven, not a multiple of 20 ms
		m.say(leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: resp, ItemID: item, Audio: bytes.Repeat([]byte{agentByte}, n*bytesPerMs)})
		ms -= n
	}
}
