package parley

import "encoding/json"

// EventToolConfirmation is a fact, ToolConfirmationData: how far a person's agreement to a tool call has come.
const EventToolConfirmation = "tool.confirmation"

// The states of a question for a person's agreement.
const (
	ConfirmRequested = "requested" // the model was told what to ask; the tool did not run
	ConfirmAsked     = "asked"     // the person has got a question since then, whole
	ConfirmAgreed    = "agreed"    // the person's own answer was a yes: the call may run once
	ConfirmDeclined  = "declined"  // it was a no
	ConfirmUnclear   = "unclear"   // it was neither, or came too early: it has to be asked again
	ConfirmWithdrawn = "withdrawn" // another question took its place, or it was not answered in time
	ConfirmUsed      = "used"      // the call runs: the agreement holds for no other one
)

// ToolConfirmationData is one step of a question. All steps of one question have the same Question.
type ToolConfirmationData struct {
	Question  string          `json:"question"` // of the function and the arguments; other arguments are another question
	CallID    string          `json:"callId,omitempty"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments,omitempty"` // when it is requested
	State     string          `json:"state"`               // one of Confirm*
	ItemID    string          `json:"itemId,omitempty"`    // of the message that asked, or answered
}

// ToolStartedData is committed before the tool runs.
type ToolStartedData struct {
	CallID    string          `json:"callId"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	ToolID    string          `json:"toolId,omitempty"` // "" when the agent has no such tool
	Kind      ToolKind        `json:"kind,omitempty"`
	Refused   string          `json:"refused,omitempty"` // why the server did not run it: a word such as turn_calls; "" = it runs
}

// ToolCompletedData is a tool's outcome. Result is what the model sees; the detail is for the operator.
type ToolCompletedData struct {
	CallID  string      `json:"callId"`
	Name    string      `json:"name"`
	Result  string      `json:"result"`
	Outcome string      `json:"outcome"` // ok, error, timeout, unknown_tool, invalid_arguments, refused, unconfirmed
	Ms      int64       `json:"ms"`
	ToolID  string      `json:"toolId,omitempty"`
	Kind    ToolKind    `json:"kind,omitempty"`
	Detail  *ToolDetail `json:"detail,omitempty"` // nil when there is nothing to say
}

// ToolDetail is what an operator sees of a tool call beyond its result. It holds no secrets, and the model does not see it.
type ToolDetail struct {
	ErrorType string `json:"errorType,omitempty" doc:"What went wrong, as a word such as blocked_address; empty when nothing did." example:"http_status"`
	Error     string `json:"error,omitempty" doc:"The same in words." example:"The server answered 503."`
	Status    int    `json:"status,omitempty" doc:"Status of the HTTP answer." example:"503"`
}
