package model

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"parley/internal/sim/speech"
)

// Brain decides what a Realtime response says. Reply is called from the connection's goroutine and must not
// block; the same brain serves all connections at once.
type Brain interface {
	Reply(Turn) Reply
}

// Turn is what a brain knows when a response begins.
type Turn struct {
	Conn         *Conn
	Number       int    // responses of this connection so far, this one included
	UserTurns    int    // the user's messages in the conversation
	Instructions string // those of response.create, or else the session's
	Asked        bool   // Instructions came with response.create
	Tools        []Tool // none when tool_choice is none
	Forced       string // the function that tool_choice demands
	ToolOutput   string // set when the newest item is a tool's output
	HasOutput    bool
	Outputs      []string // of all tools so far, oldest first
	UserText     string   // of the newest user message, when it was typed
	Messages     []Line   // of the conversation, oldest first
	Metadata     map[string]string
}

// Line is a message of a conversation. Text is empty for what the caller spoke: the simulated model does not understand
// it.
type Line struct{ Role, Text string }

// Tool is a function that the model may call.
type Tool struct {
	Name       string
	Parameters map[string]any // JSON Schema
}

// Reply is a response to be generated.
type Reply struct {
	Delay      time.Duration // before the first output, added to Options.FirstDelta
	Items      []Output
	Incomplete string // ends with status incomplete for this reason: max_output_tokens or content_filter
	Fail       *Failure
	LateDeltas int  // instead of Options.LateDeltas, when not 0
	Drop       bool // cuts the connection after the items, before response.done
	Stall      bool // never sends response.done, until cancelled
	// ResetSeconds is said by rate_limits.updated: the tokens are used up, and renewed after this time. 0 = plenty are left.
	ResetSeconds float64
}

// Output is one item of a response: words or a function call.
type Output struct {
	Say   string        // spoken with audio, or written when the response is text only
	ULaw  []byte        // audio instead of the synthesized words
	Words []speech.Word // when the words of Say are heard in ULaw; nil = all at its beginning
	Call  *Call         // a function call instead of words
	Pause time.Duration // before the item
	Hang  time.Duration // in the middle of its deltas
}

// Call is a function call.
type Call struct{ Name, Arguments string }

// Failure is a failed response: response.done with status failed and, as with the real API, no error event.
type Failure struct {
	Type, Code string
	AlsoEvent  string // message of an additional error event; "" for none
}

// Say is a reply of one spoken item.
func Say(words string) Reply { return Reply{Items: []Output{{Say: words}}} }

// CallTool is a reply of one function call.
func CallTool(name, arguments string) Reply {
	return Reply{Items: []Output{{Call: &Call{name, arguments}}}}
}

// DefaultBrain speaks a quoted greeting when it is asked to, uses its tools one by one from the second turn on (of
// those that act on the call only the first), and otherwise goes through its lines in order.
type DefaultBrain struct{}

// The lines have recorded clips (internal/sim/speech/lines.txt); a test holds both together.
const (
	lineLookUp = "One moment please, I will look that up for you."
	lineResult = "The tool answered:"
)

var lines = []string{
	"Thank you, I heard you. I am Parley's simulated model, so I can hear that you speak, but I do not understand the words. Please say something more, and interrupt me whenever you like.",
	"Here is a longer answer, made for being interrupted. A real model would now explain your question in some detail, step by step, and it would take its time to do so. If you start to speak while I am talking, I should fall silent at once, and the transcript should end with the last word that you heard.",
	"Every turn of this call is written to the conversation's log: what you said, what I answered, which tools were called, and how long each answer took.",
	"That is all I can do without a real model. Set an OpenAI key, start the server again, and the same agent will understand you.",
}

// Reply implements Brain.
func (DefaultBrain) Reply(t Turn) Reply {
	if t.HasOutput {
		return Say(lineResult + " " + speakable(t.ToolOutput))
	}
	if t.Forced != "" {
		return CallTool(t.Forced, argumentsFor(t.Tools, t.Forced, t.Outputs))
	}
	if t.Asked {
		if q := quotation(t.Instructions); q != "" {
			return Say(q)
		}
	}
	n, names := max(0, t.UserTurns-1), useful(t.Tools)
	if n >= 1 && n <= len(names) {
		name := names[n-1]
		return Reply{Items: []Output{{Say: lineLookUp}, {Call: &Call{name, argumentsFor(t.Tools, name, t.Outputs)}}}}
	}
	if n > 0 {
		n -= len(names) // each tool took a turn
	}
	return Say(lines[n%len(lines)])
}

// useful are the functions that the model tries in turn. Ending or transferring the call comes at the owner's wish only:
// when it is the first tool.
func useful(tools []Tool) (names []string) {
	acts := []string{"end_call", "transfer_call", "send_dtmf", "leave_voicemail"}
	for i, t := range tools {
		if i == 0 || !slices.Contains(acts, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// quotation returns the longest text between quotation marks of the last paragraph that has any: that is how a bridge
// asks for a greeting, or for something else to be said, behind the agent's own instructions.
func quotation(s string) string {
	paragraphs := strings.Split(s, "\n\n")
	for _, p := range slices.Backward(paragraphs) {
		if q := longestQuotation(p); q != "" {
			return q
		}
	}
	return ""
}

func longestQuotation(s string) string {
	best := ""
	for _, q := range [][2]string{{"“", "”"}, {"\"", "\""}, {"«", "»"}} {
		rest := s
		for {
			_, after, ok := strings.Cut(rest, q[0])
			if !ok {
				break
			}
			inner, tail, ok := strings.Cut(after, q[1])
			if !ok {
				break
			}
			if inner = strings.TrimSpace(inner); len(inner) > len(best) {
				best = inner
			}
			rest = tail
		}
	}
	return best
}

// result is what a tool answered, where it stands in a frame that says that it is data: {"note":…,"status":…,"result":…}.
func result(output string) string {
	var framed struct {
		Note, Status string
		Result       json.RawMessage
	}
	if json.Unmarshal([]byte(output), &framed) != nil || framed.Note == "" || framed.Result == nil {
		return output
	}
	return strings.TrimSpace(framed.Status + " " + string(framed.Result))
}

// speakable shortens a tool's output to something that can be said in some seconds, without JSON's marks.
func speakable(output string) string {
	output = result(output)
	var words []string
	length := 0
	for _, w := range strings.FieldsFunc(output, func(r rune) bool { return strings.ContainsRune("{}[]\"\\ \n\t", r) }) {
		if w = strings.Trim(w, ":,"); w == "" {
			continue
		}
		if length += len(w) + 1; length > 120 && len(words) > 0 {
			break
		}
		words = append(words, firstRunes(w, 120))
	}
	if len(words) == 0 {
		return "nothing."
	}
	return strings.Join(words, " ")
}
