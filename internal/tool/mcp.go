package tool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"parley"
	"parley/internal/egress"
	"parley/internal/mcp"
)

// ErrorServer is the Detail type of an error in the words of an MCP server.
const ErrorServer = "server_error"

// The circuit of an MCP server: after so many failures in a row its functions answer at once, for some seconds.
const (
	mcpFailures = 3
	mcpPause    = 15 * time.Second
	maxCircuits = 4_096
)

// mcp calls a function of an MCP server.
func (r *Runner) mcp(ctx context.Context, j job) (answer, error) {
	if j.tool.Remote == "" {
		return failed(&setupError{"A tool of kind mcp has several functions: name one of them."}, nil)
	}
	v, err := r.values(ctx, j)
	if err != nil {
		return failed(err, nil)
	}
	if r.egress == nil {
		return failed(&setupError{"This server makes no requests for tools."}, v)
	}
	server, err := r.server(j.tool, v, false)
	if err != nil {
		return failed(err, v)
	}
	if j.trace.isDry() {
		return answer{text: "Nothing was sent: this is a dry run.", own: true}, nil
	}
	if !r.circuits.admits(j.tool.ID, time.Now()) {
		return answer{text: "The service that the tool uses does not answer at the moment. Tell the person that it did not work.",
			detail: Detail{ErrorType: ErrorConnection, Error: "The server failed several times in a row; it is asked again in some seconds."}}, errCircuit
	}
	res, err := r.servers.Call(ctx, server, j.tool.Remote, j.arguments)
	if opened := r.circuits.note(j.tool.ID, isMCPOutage(err), time.Now()); opened {
		r.refreshLater(j.tool)
	}
	if err != nil {
		return failedMCP(err, v)
	}
	a := answer{data: v.mask(tidy(res.Text))}
	if res.IsError {
		a.text = "The tool reports an error."
		a.detail = Detail{ErrorType: ErrorServer, Error: clean(a.data, 1_000)}
		return a, errReported
	}
	return a, nil
}

var (
	errCircuit  = errors.New("the server is left alone")
	errReported = errors.New("the function reports an error")
)

// server says where the server of a tool is, with its headers filled, and has v hide the credentials among them.
// lenient leaves headers out for which something is not known, as it is outside a conversation.
func (r *Runner) server(t parley.Tool, v *values, lenient bool) (mcp.Server, error) {
	for _, value := range t.MCP.Credentials() {
		v.hide(value)
	}
	header := make(map[string]string, len(t.MCP.Headers))
	for name, template := range t.MCP.Headers {
		text, err := v.text(template)
		if _, unfilled := errors.AsType[*unfilledError](err); unfilled && lenient {
			continue
		}
		if err != nil {
			return mcp.Server{}, err
		}
		if !isHeaderValue(text) {
			return mcp.Server{}, &setupError{fmt.Sprintf("The header %s has characters that a header cannot have.", http.CanonicalHeaderKey(name))}
		}
		header[name] = text
	}
	return mcp.Server{Owner: t.OrgID, Tool: t.ID, URL: t.MCP.URL, Header: header, Client: r.egress.Client(t.OrgID)}, nil
}

func isHeaderValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isMCPOutage reports whether an error says that the server, not the call, has a problem.
func isMCPOutage(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	f, ok := errors.AsType[*mcp.Failure](err)
	return ok && (f.Kind == mcp.FailureUnreachable || f.Kind == mcp.FailureProtocol || f.Kind == mcp.FailureStatus || f.Kind == mcp.FailureRedirected)
}

// failedMCP is failed for what comes of a server: a few words for the model, the reason for the operator.
func failedMCP(err error, v *values) (answer, error) {
	a := answer{detail: mcpDetail(err, v)}
	f, ok := errors.AsType[*mcp.Failure](err)
	switch {
	case errors.Is(err, mcp.ErrBusy):
		a.text = "Too many calls of this tool are under way. Tell the person that it did not work now."
	case !ok:
	case f.Kind == mcp.FailureUnreachable && !egress.IsBlocked(err):
		a.text = "The service that the tool uses cannot be reached now. Tell the person that it did not work."
	case f.Kind == mcp.FailureTooLarge:
		a.text = "The tool's answer was too large to be read. Ask for less, if the arguments allow it."
	case f.Kind == mcp.FailureRefused:
		a.text, a.data = "The tool refused the call.", v.mask(tidy(f.Said))
	}
	return a, err
}

// mcpDetail is what an operator is told about a failure.
func mcpDetail(err error, v *values) Detail {
	f, ok := errors.AsType[*mcp.Failure](err)
	d := Detail{ErrorType: ErrorConnection, Error: "The server did not answer in time."}
	switch {
	case errors.Is(err, mcp.ErrBusy):
		d.Error = "Too many sessions with MCP servers are in use at once."
	case egress.IsBlocked(err):
		d = Detail{ErrorType: ErrorBlocked, Error: "The address of the server is not allowed: it is not public. The operator can allow it with PARLEY_EGRESS_ALLOW."}
	case !ok:
		d.ErrorType = ErrorTimeout
	default:
		d.Error, d.Status = clean(v.mask(f.Error()), 1_000), f.Status
		switch f.Kind {
		case mcp.FailureStatus:
			d.ErrorType = ErrorStatus
		case mcp.FailureRedirected:
			d.ErrorType = ErrorRedirect
		case mcp.FailureRefused:
			d.ErrorType = ErrorServer
		case mcp.FailureTooLarge, mcp.FailureNeedsInput, mcp.FailureProtocol:
			d.ErrorType = ErrorResult
		}
	}
	return d
}

// circuits count the failures of servers, by tool. The zero value is ready.
type circuits struct {
	mu     sync.Mutex
	failed map[string]circuit
}

type circuit struct {
	failures int
	until    time.Time // no call before
}

func (c *circuits) admits(toolID string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !now.Before(c.failed[toolID].until)
}

// note takes the end of a call and reports whether it opened the circuit.
func (c *circuits) note(toolID string, failed bool, now time.Time) (opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !failed {
		delete(c.failed, toolID)
		return false
	}
	if c.failed == nil || len(c.failed) >= maxCircuits {
		c.failed = map[string]circuit{}
	}
	one := c.failed[toolID]
	if one.failures++; one.failures >= mcpFailures {
		one.until, opened = now.Add(mcpPause), true
	}
	c.failed[toolID] = one
	return opened
}
