package browser

import (
	"encoding/json"

	"parley"
)

// Replaced is the end of a stream whose call goes on over another one, beside parley.End*.
const Replaced = "replaced"

// words are what the page may show when a call has ended; the reasons that need none are absent.
var words = map[string]string{
	parley.EndAgentHangup:      "The agent ended the call.",
	parley.EndSilenceTimeout:   "The call ended because nothing was said.",
	parley.EndMaxDuration:      "The call has reached its longest duration.",
	parley.EndModelUnavailable: "We are sorry, we cannot continue this call right now. Please call again in a few minutes.",
	parley.EndServerStopped:    "We are sorry, we cannot continue this call right now. Please call again in a few minutes.",
	parley.EndInternalError:    "We are sorry, we cannot continue this call right now. Please call again in a few minutes.",
	parley.EndOverload:         "All our lines are busy at the moment. Please call again in a few minutes.",
	parley.EndCarrierLost:      "The connection was lost.",
	Replaced:                   "The call goes on in another window.",
}

// Tell shows the page what an event of the conversation's log means to it. Events come in order from the first;
// of those before this stream only the transcript is shown. They carry no error and no tool: what a provider
// says is not for callers.
func (s *Stream) Tell(ev parley.Event) {
	s.transcript(ev)
	if s.replay {
		s.replay = !s.begins(ev)
		return
	}
	switch ev.Type {
	case parley.EventStreamStarted:
		s.Close()
		s.finish(endedMessage{Type: "ended", Reason: Replaced, Message: words[Replaced]}, statusNormal, Replaced)
	case parley.EventModelConnected:
		s.show(func(m *mood) { m.ready = true })
	case parley.EventSpeechStarted:
		s.say(callerMessage{"caller", true})
		s.show(func(m *mood) { m.thinking = false })
	case parley.EventSpeechStopped:
		s.say(callerMessage{"caller", false})
	case parley.EventTurnCommitted:
		s.show(func(m *mood) { m.expects(ev.At) })
	case parley.EventToolStarted:
		s.show(func(m *mood) { m.tools++ })
	case parley.EventToolCompleted:
		s.show(func(m *mood) {
			m.tools = max(0, m.tools-1)
			m.expects(ev.At)
		})
	case parley.EventEndRequested, parley.EventConversationEnded:
		var d parley.EndData
		if json.Unmarshal(ev.Data, &d) == nil {
			s.Close()
			s.End(d.Reason)
		}
	}
}

// begins reports whether an event is the beginning of this stream. A session that outlived the stream before is ready
// at once; one that has to reach the model again takes up what is said meanwhile, so the page may speak as well.
func (s *Stream) begins(ev parley.Event) bool {
	switch ev.Type {
	case parley.EventModelConnected:
		s.known = true
	case parley.EventStreamStarted:
		var d parley.StreamStartedData
		if json.Unmarshal(ev.Data, &d) == nil && d.StreamSID == s.ID {
			s.show(func(m *mood) { m.ready = m.ready || s.known })
			return true
		}
	}
	return false
}

// transcript shows words: of the agent first those that were generated, then those that were heard.
func (s *Stream) transcript(ev parley.Event) {
	m := transcriptMessage{Type: "transcript"}
	switch ev.Type {
	case parley.EventTurnCommitted:
		var d parley.TurnCommittedData
		if json.Unmarshal(ev.Data, &d) != nil {
			return
		}
		m.ID, m.Role = d.ItemID, "user"
	case parley.EventMessageUser:
		var d parley.MessageUserData
		if json.Unmarshal(ev.Data, &d) != nil {
			return
		}
		m.ID, m.Role, m.Text, m.Final = d.ItemID, "user", d.Text, true
	case parley.EventMessageAssistant:
		var d parley.MessageAssistantData
		if json.Unmarshal(ev.Data, &d) != nil {
			return
		}
		m.ID, m.Role, m.Text = d.ItemID, "assistant", d.Text
	case parley.EventMessageHeard:
		var d parley.MessageHeardData
		if json.Unmarshal(ev.Data, &d) != nil {
			return
		}
		m.ID, m.Role, m.Text, m.Final, m.Interrupted = d.ItemID, "assistant", d.HeardText, true, d.Interrupted
	default:
		return
	}
	s.say(m)
}
