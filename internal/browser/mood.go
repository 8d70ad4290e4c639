package browser

import "time"

// The states of a call as the page shows it.
const (
	stateConnecting = "connecting" // the model is being reached
	stateListening  = "listening"  // it is the caller's turn
	stateThinking   = "thinking"   // the agent prepares its answer, or a tool runs
	stateSpeaking   = "speaking"   // the agent is being heard
)

// mood derives the state that the page shows from what the session sends and what is on record. The record comes
// up to 100 ms late, so its events count only if no audio was sent since they happened.
type mood struct {
	ready    bool
	thinking bool
	tools    int
	lastMark string    // sent after the newest audio; "" = none yet
	audible  bool      // audio was sent whose end has not been echoed
	mediaAt  time.Time // of the newest audio
	shown    string    // what the page was told last
}

func (m *mood) state() string {
	switch {
	case m.audible:
		return stateSpeaking
	case !m.ready:
		return stateConnecting
	case m.thinking || m.tools > 0:
		return stateThinking
	}
	return stateListening
}

// changed reports the state if the page does not know it yet.
func (m *mood) changed() (string, bool) {
	now := m.state()
	if now == m.shown {
		return "", false
	}
	m.shown = now
	return now, true
}

func (m *mood) media(now time.Time) {
	m.audible, m.thinking, m.lastMark, m.mediaAt = true, false, "", now
}

func (m *mood) marked(name string) { m.lastMark = name }

// played books the echo of a mark: when it is the one after the newest audio, nothing is left to be heard.
func (m *mood) played(name string) {
	if m.lastMark != "" && name == m.lastMark {
		m.audible = false
	}
}

func (m *mood) cleared() { m.audible, m.lastMark = false, "" }

// expects says that an answer is due, since at.
func (m *mood) expects(at time.Time) {
	if at.After(m.mediaAt) {
		m.thinking = true
	}
}
