package tool

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// Types of what goes wrong in the test console, beside those of Detail.
const (
	ErrorArguments = "invalid_arguments"
	ErrorNeedsCall = "needs_call"
	ErrorFailed    = "failed"
)

// Tested is what came of a test of a tool: all of it without secrets.
type Tested struct {
	Request  *SentRequest      // nil: none was made
	Response *ReceivedResponse // nil: none came
	Result   string            // what a model would see
	Duration time.Duration
	Type     string // of the error, "" = none
	Message  string // what went wrong, for the operator
}

// Test runs a tool of the organization outside of a conversation, with the same checks and bounds. With dry, nothing is
// sent: the request is made and shown.
func (r *Runner) Test(ctx context.Context, t parley.Tool, c Call, dry bool) Tested {
	began := time.Now()
	trace := &Trace{dry: dry}
	a, outcome := r.test(ctx, t, c, trace)
	res := result(t, a, outcome, time.Since(began))
	tested := Tested{Result: res.Output, Duration: res.Duration, Type: a.detail.ErrorType, Message: a.detail.Error}
	tested.Request, tested.Response = trace.shown()
	if outcome == OutcomeOK {
		return tested
	}
	if tested.Message == "" {
		tested.Message = res.Plain
	}
	switch {
	case outcome == OutcomeInvalidArguments:
		tested.Type = ErrorArguments
	case tested.Type == "" && outcome == OutcomeTimeout:
		tested.Type = ErrorTimeout
	case tested.Type == "":
		tested.Type = ErrorFailed
	}
	return tested
}

func (r *Runner) test(ctx context.Context, t parley.Tool, c Call, trace *Trace) (answer, string) {
	if t.Control {
		text := fmt.Sprintf("%s works in phone calls only: it acts on the call itself. Try it with a test call.", t.Name)
		return answer{text: text, detail: Detail{ErrorType: ErrorNeedsCall, Error: text}}, OutcomeError
	}
	if trace.dry && t.Kind != parley.ToolHTTP {
		if _, err := r.arguments(t, c.Arguments); err != nil {
			return say("The arguments are not usable: " + err.Error()), OutcomeInvalidArguments
		}
		return answer{text: "The arguments fit. Nothing was run: this is a dry run.", own: true}, OutcomeOK
	}
	c.Name, c.Offered = t.FunctionName, []parley.Tool{t}
	return r.run(ctx, c, t, trace)
}

// AddressWarning tells whoever saves a tool that requests to its address would be refused, "" otherwise. It may be saved:
// the operator may allow the address later. What a name leads to is decided at each call.
func (r *Runner) AddressWarning(t parley.Tool) string {
	field, address := "", ""
	switch {
	case r == nil || r.egress == nil:
		return ""
	case t.HTTP != nil:
		field, address = "http.url", t.HTTP.URL
	case t.MCP != nil:
		field, address = "mcp.url", t.MCP.URL
	default:
		return ""
	}
	if err := r.egress.CheckURL(address); err != nil {
		return field + " leads to a " + err.Error() + ". The tool cannot work before that changes."
	}
	return ""
}
