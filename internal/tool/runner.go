// Package tool runs the tool calls of an agent, in one way for calls and chats: it checks the arguments,
// bounds the time and the size, cleans what comes back and never lets a tool's panic out.
//
// The Runner runs what it is given; the Guard decides before whether a call may run, by the conversation's record. Neither
// writes events or tells a person anything: the session or the chat turn that asked does. Control tools (ending or
// transferring a call) belong to the session that registered them.
package tool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"parley"
	"parley/internal/egress"
	"parley/internal/mcp"
	"parley/internal/secret"
	"parley/internal/store"
)

// Outcomes of a call; they are the `outcome` of tool.completed events.
const (
	OutcomeOK               = "ok"
	OutcomeError            = "error"
	OutcomeTimeout          = "timeout"
	OutcomeUnknownTool      = "unknown_tool"
	OutcomeInvalidArguments = "invalid_arguments"
)

// Defaults and bounds.
const (
	DefaultTimeout   = 10 * time.Second
	MaxOutput        = 64 << 10 // bytes that a model sees of one result
	MaxArguments     = 64 << 10 // bytes of JSON that a model may send
	maxArgumentDepth = 32
)

// Call is one request of a model to run a tool. Name is the function name that the model was given.
type Call struct {
	OrgID, ConversationID, AgentID, CallID string
	Name                                   string
	Arguments                              json.RawMessage // a JSON object; empty counts as {}
	// Offered is what the model was offered, as Tools gave it: a name outside is unknown, even if it exists.
	Offered []parley.Tool
	// What the server knows of the person, whatever the model says; "" when it does not know.
	CallerNumber, ContactID, VisitorSub string
	Page                                Page // runs client tools; nil where there is no page
}

// Result is what came of a call. Output is always set and fit to be shown to the model: valid UTF-8 without
// control or invisible characters, at most MaxOutput bytes.
type Result struct {
	Output   string
	Plain    string // Output without the frame around what came from outside: for people
	Outcome  string
	Duration time.Duration
	Detail   Detail // for the operator
}

// Options of a Runner; zero members take the defaults.
type Options struct {
	Store   *store.Store // nil: built-in tools only
	Ring    *secret.Ring
	Egress  *egress.Gate
	Now     func() time.Time // the clock that current_time reads; time.Now
	Timeout time.Duration    // of one call; DefaultTimeout
	Logger  *slog.Logger
}

// Runner runs tool calls. It is safe for concurrent use and keeps nothing between calls but compiled schemas and
// sessions with MCP servers, for which it must be closed.
type Runner struct {
	store    *store.Store
	ring     *secret.Ring
	egress   *egress.Gate
	now      func() time.Time
	timeout  time.Duration
	log      *slog.Logger
	builtins map[string]function
	kinds    map[parley.ToolKind]executor
	schemas  schemaCache
	servers  *mcp.Pool // of MCP
	circuits circuits
	finding  findings
}

// argumentError says what is wrong with the arguments, in words that help the model to correct them.
type argumentError struct{ msg string }

func (e *argumentError) Error() string { return e.msg }

// New makes a Runner with the built-in tools.
func New(o Options) *Runner {
	r := &Runner{store: o.Store, ring: o.Ring, egress: o.Egress, now: o.Now, timeout: o.Timeout, log: o.Logger}
	if r.now == nil {
		r.now = time.Now
	}
	if r.timeout <= 0 {
		r.timeout = DefaultTimeout
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.servers = mcp.NewPool(mcp.Options{})
	r.finding.open = map[string]*finding{}
	r.finding.ctx, r.finding.cancel = context.WithCancel(context.Background())
	r.builtins = r.functions()
	r.kinds = map[parley.ToolKind]executor{parley.ToolBuiltin: r.builtin, parley.ToolHTTP: r.http, parley.ToolClient: r.client, parley.ToolMCP: r.mcp}
	return r
}

// Tools returns what a model is offered for the ids of an agent, in their order and without anything secret;
// unknown ids are left out. Two tools never have the same function name.
func (r *Runner) Tools(ctx context.Context, orgID string, toolIDs []string) []parley.Tool {
	stored, servers, err := r.stored(ctx, orgID, toolIDs)
	if err != nil {
		r.log.ErrorContext(ctx, "tools are not offered", slog.String("org_id", orgID), slog.Any("error", err))
	}
	tools := make([]parley.Tool, 0, len(toolIDs))
	for _, id := range toolIDs {
		if t, ok := stored[id]; ok && r.offered(ctx, orgID, t) {
			t.HTTP = nil
			tools = append(tools, t)
		}
	}
	return expand(tools, servers)
}

// stored finds tools by their ids, and what their MCP servers have. Built-in ones are found even when the database
// cannot be read.
func (r *Runner) stored(ctx context.Context, orgID string, ids []string) (map[string]parley.Tool, map[string]parley.MCPServer, error) {
	found := make(map[string]parley.Tool, len(ids))
	own := false
	for _, id := range ids {
		if t, ok := parley.BuiltinTool(id); ok {
			found[id] = t
		} else {
			own = true
		}
	}
	if !own || r.store == nil {
		return found, nil, nil
	}
	sealed, err := r.store.LoadTools(ctx, orgID, ids)
	for _, s := range sealed {
		found[s.ID] = s.Tool
	}
	if err != nil {
		return found, nil, err
	}
	servers, err := r.mcpServers(ctx, orgID, sealed)
	return found, servers, err
}

// Run runs one call and waits for it, at most for its timeout. It never panics and never returns an empty
// output: what goes wrong is said to the model in the output and to the program in the outcome.
func (r *Runner) Run(ctx context.Context, c Call) Result {
	began := time.Now()
	t, a, outcome := r.lookUp(ctx, c)
	if outcome == "" {
		a, outcome = r.run(ctx, c, t, nil)
	}
	return result(t, a, outcome, time.Since(began))
}

func result(t parley.Tool, a answer, outcome string, took time.Duration) Result {
	output, plain := frame(t, a, outcome)
	return Result{Output: output, Plain: plain, Outcome: outcome, Duration: took, Detail: a.detail}
}

// lookUp finds the tool that a call names. An outcome says that there is none, and the answer why.
func (r *Runner) lookUp(ctx context.Context, c Call) (parley.Tool, answer, string) {
	t, err := r.find(ctx, c)
	if parley.IsNotFound(err) {
		return t, say(fmt.Sprintf("There is no tool named %q. Do not call it again; answer without it.", c.Name)), OutcomeUnknownTool
	}
	if err != nil {
		r.log.ErrorContext(ctx, "tool is not found", slog.String("org_id", c.OrgID), slog.String("tool", c.Name), slog.Any("error", err))
		return t, say(failedText), OutcomeError
	}
	return t, answer{}, ""
}

// run runs a tool with the arguments of a call, when they fit its parameters.
func (r *Runner) run(ctx context.Context, c Call, t parley.Tool, trace *Trace) (answer, string) {
	run, ok := r.kinds[t.Kind]
	if !ok {
		return say(fmt.Sprintf("The tool %q cannot be used here. Do not call it again; answer without it.", c.Name)), OutcomeUnknownTool
	}
	if t.Control {
		return answer{}, OutcomeOK // the session of the call reads the arguments, and does it
	}
	arguments, err := r.arguments(t, c.Arguments)
	if err != nil {
		return say("The arguments are not usable: " + err.Error()), OutcomeInvalidArguments
	}
	timeout := r.timeout
	if t.HTTP != nil {
		timeout = time.Duration(t.HTTP.TimeoutSeconds) * time.Second
	}
	if t.Client != nil {
		timeout = clientTimeout(t) + pageGrace
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.await(ctx, run, job{Call: c, tool: t, arguments: arguments, trace: trace})
}

// await runs a job beside its caller, who goes on when the time is over even if the tool does not.
func (r *Runner) await(ctx context.Context, run executor, j job) (answer, string) {
	type end struct {
		answer
		err error
	}
	done := make(chan end, 1) // one place, so that a late tool can still leave
	go func() {
		defer func() {
			if p := recover(); p != nil {
				r.log.ErrorContext(ctx, "tool panicked", slog.String("org_id", j.OrgID), slog.String("conversation_id", j.ConversationID),
					slog.String("tool", j.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
				done <- end{err: errors.New("panic")}
			}
		}()
		a, err := run(ctx, j)
		done <- end{a, err}
	}()

	var e end
	select {
	case e = <-done:
		if bad, ok := errors.AsType[*argumentError](e.err); ok {
			return answer{text: "The arguments are not usable: " + bad.msg, detail: e.detail}, OutcomeInvalidArguments
		}
		if e.err != nil && ctx.Err() == nil && !errors.Is(e.err, context.DeadlineExceeded) {
			e.text = cmp.Or(e.text, failedText)
			return e.answer, OutcomeError
		}
		if e.err == nil {
			return e.answer, OutcomeOK
		}
	case <-ctx.Done():
	}
	if errors.Is(e.err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return late(ErrorTimeout, "The tool did not answer in time; whether it had an effect is unknown.", e.detail), OutcomeTimeout
	}
	return late(ErrorStopped, "The tool was stopped before it answered; whether it had an effect is unknown.", e.detail), OutcomeError
}

// late is an answer that did not come, for the operator as well.
func late(kind, text string, d Detail) answer {
	if d.ErrorType == "" {
		d = Detail{ErrorType: kind, Error: text}
	}
	return answer{text: text, detail: d}
}

// failedText is for the model when there is nothing better to say.
const failedText = "The tool failed. Tell the person that it did not work."

// say is an answer without details.
func say(text string) answer { return answer{text: text} }

// find returns the tool that a call names, among those the model was offered, as it is stored now: what an
// operator changed or deleted counts from the next call on.
func (r *Runner) find(ctx context.Context, c Call) (parley.Tool, error) {
	i := slices.IndexFunc(c.Offered, func(t parley.Tool) bool { return t.FunctionName == c.Name })
	if i < 0 {
		return parley.Tool{}, parley.Errorf(parley.CodeNotFound, "Tool not found")
	}
	offered := c.Offered[i]
	t := offered
	if r.store == nil {
		return t, nil
	}
	if c.AgentID != "" { // none in the test console
		if has, err := r.store.AgentHasTool(ctx, c.OrgID, c.AgentID, t.ID); err != nil || !has {
			return t, cmp.Or(err, error(parley.Errorf(parley.CodeNotFound, "Tool not found")))
		}
	}
	if t.Kind == parley.ToolBuiltin {
		return t, nil
	}
	sealed, err := r.store.FindTool(ctx, c.OrgID, t.ID)
	if err != nil {
		return t, err
	}
	if t, err = Open(r.ring, sealed); err == nil && t.Kind == parley.ToolMCP {
		if offered.Remote == "" || !t.MCP.Allows(offered.Remote) {
			return t, parley.Errorf(parley.CodeNotFound, "Tool not found")
		}
		t.FunctionName, t.Remote, t.Description, t.Parameters = offered.FunctionName, offered.Remote, offered.Description, offered.Parameters
	}
	return t, err
}
