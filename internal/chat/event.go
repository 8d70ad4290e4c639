package chat

import "encoding/json"

// Event types of a run, as a reader sees them (contract §7).
const (
	EventDelta            = "message.delta"     // DeltaData
	EventMessageCompleted = "message.completed" // MessageData
	EventToolStarted      = "tool.started"      // ToolData
	EventToolRequested    = "tool.requested"    // ToolRequestedData: the page shall run it
	EventToolCompleted    = "tool.completed"    // ToolData
	EventError            = "error"             // ErrorData
	EventRunCompleted     = "run.completed"     // DoneData; always the last
)

// How a run ended.
const (
	StatusCompleted = "completed"
	StatusStopped   = "stopped" // by the visitor
	StatusFailed    = "failed"
)

// Event is one thing that happened in a run. IDs strictly increase, and the ID of a delta is the number of
// characters (Unicode code points) of the answer up to and including it, so that a reader can continue after
// any ID and gets the rest of the text in one delta. (An answer that is shorter than the number of tool events
// before it has an ID that is higher by the difference.) Two readers may see the text cut at different places.
type Event struct {
	ID   int64
	Type string
	Data any // one of the types below; all of them marshal
}

// DeltaData is a piece of the answer.
type DeltaData struct {
	Text string `json:"text"`
}

// ToolData names a tool call; ID is unique in the run.
type ToolData struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ToolRequestedData asks the page with the chat to run a tool call. One page claims RequestID, runs its handler of the
// name and posts the result; see ClaimTool and AnswerTool.
type ToolRequestedData struct {
	ID        string          `json:"id"` // of the call, as in ToolData
	RequestID string          `json:"requestId"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"` // an object
}

// MessageData is the whole answer.
type MessageData struct {
	MessageID string `json:"messageId"`
	Text      string `json:"text"`
}

// ErrorData says in plain words what went wrong. It never quotes a provider.
type ErrorData struct {
	Type    string `json:"type"` // a parley.Code
	Message string `json:"message"`
}

// DoneData is how the run ended.
type DoneData struct {
	Status string `json:"status"`
}
