// Package tool runs the tool calls of an agent, in one way for calls and chats: it checks the arguments,
// bounds the time and the size, cleans what comes back and never lets a tool's panic out.
//
// It does not decide when a tool may run, how often, or what a person is told about it, and it writes no
// events: the session or the chat turn that asked does. Control tools (ending or transferring a call) belong
// to the session that registered them.
package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"parley"
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
	// Offered, when not nil, is what the model was offered: a name outside is unknown, even if it exists.
	Offered []parley.Tool
}

// Result is what came of a call. Output is always set and fit to be shown to the model: valid UTF-8 without
// control or invisible characters, at most MaxOutput bytes.
type Result struct {
	Output   string
	Outcome  string
	Duration time.Duration
}

// Options of a Runner; zero members take the defaults.
type Options struct {
	Now     func() time.Time // the clock that current_time reads; time.Now
	Timeout time.Duration    // of one call; DefaultTimeout
	Logger  *slog.Logger
}

// Runner runs tool calls. It is safe for concurrent use and holds no state between calls.
type Runner struct {
	now      func() time.Time
	timeout  time.Duration
	log      *slog.Logger
	builtins map[string]function
}

// function is a built-in tool. It gets a JSON object and answers with the text for the model, or with an
// argumentError for arguments it cannot use. It must return soon after ctx ends.
type function func(ctx context.Context, arguments json.RawMessage) (string, error)

// argumentError says what is wrong with the arguments, in words that help the model to correct them.
type argumentError struct{ msg string }

func (e *argumentError) Error() string { return e.msg }

// New makes a Runner with the built-in tools.
func New(o Options) *Runner {
	r := &Runner{now: o.Now, timeout: o.Timeout, log: o.Logger}
	if r.now == nil {
		r.now = time.Now
	}
	if r.timeout <= 0 {
		r.timeout = DefaultTimeout
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.builtins = map[string]function{"calculator": r.calculator, "current_time": r.currentTime}
	return r
}

// Tools returns the tools behind the ids of an agent, in their order; unknown ids are left out.
func (r *Runner) Tools(_ context.Context, _ string, toolIDs []string) []parley.Tool {
	tools := make([]parley.Tool, 0, len(toolIDs))
	for _, id := range toolIDs {
		if t, ok := parley.BuiltinTool(id); ok {
			tools = append(tools, t)
		}
	}
	return tools
}

// Run runs one call and waits for it, at most for the timeout. It never panics and never returns an empty
// output: what goes wrong is said to the model in the output and to the program in the outcome.
func (r *Runner) Run(ctx context.Context, c Call) Result {
	began := time.Now()
	output, outcome := r.run(ctx, c)
	return Result{Output: clean(output, MaxOutput), Outcome: outcome, Duration: time.Since(began)}
}

func (r *Runner) run(ctx context.Context, c Call) (output, outcome string) {
	fn, ok := r.find(c)
	if !ok {
		return fmt.Sprintf("There is no tool named %q. Do not call it again; answer without it.", c.Name), OutcomeUnknownTool
	}
	arguments, err := checkArguments(c.Arguments)
	if err != nil {
		return "The arguments are not usable: " + err.Error(), OutcomeInvalidArguments
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()

	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1) // one place, so that a late tool can still leave
	go func() {
		defer func() {
			if p := recover(); p != nil {
				r.log.ErrorContext(ctx, "tool panicked", slog.String("org_id", c.OrgID), slog.String("conversation_id", c.ConversationID),
					slog.String("tool", c.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
				done <- answer{err: errors.New("panic")}
			}
		}()
		text, err := fn(ctx, arguments)
		done <- answer{text, err}
	}()

	select {
	case a := <-done:
		if bad, ok := errors.AsType[*argumentError](a.err); ok {
			return "The arguments are not usable: " + bad.msg, OutcomeInvalidArguments
		}
		if a.err != nil && ctx.Err() == nil {
			return "The tool failed. Tell the person that it did not work.", OutcomeError
		}
		if a.err == nil {
			return a.text, OutcomeOK
		}
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "The tool did not answer in time; whether it had an effect is unknown.", OutcomeTimeout
	}
	return "The tool was stopped before it answered; whether it had an effect is unknown.", OutcomeError
}

func (r *Runner) find(c Call) (function, bool) {
	if c.Offered != nil && !slices.ContainsFunc(c.Offered, func(t parley.Tool) bool { return t.FunctionName == c.Name }) {
		return nil, false
	}
	for _, t := range parley.BuiltinTools() {
		if t.FunctionName == c.Name {
			fn, ok := r.builtins[t.ID]
			return fn, ok
		}
	}
	return nil, false
}

// checkArguments accepts one JSON object of bounded size and depth. Models send "" for functions without
// parameters.
func checkArguments(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return json.RawMessage(`{}`), nil
	}
	if len(raw) > MaxArguments {
		return nil, fmt.Errorf("they are longer than %d bytes", MaxArguments)
	}
	if raw[0] != '{' || !json.Valid(raw) {
		return nil, errors.New("send one JSON object")
	}
	if depth(raw) > maxArgumentDepth {
		return nil, fmt.Errorf("they are nested deeper than %d levels", maxArgumentDepth)
	}
	return raw, nil
}

// depth returns the deepest nesting of valid JSON.
func depth(raw []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}
