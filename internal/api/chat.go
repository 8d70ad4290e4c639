package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/chat"
	"parley/internal/respond"
	"parley/internal/store"
)

type chatInput struct {
	AgentPath
	Accept string `header:"Accept" hidden:"true"` // OpenAPI ignores a parameter of this name: the media types of 200 say it
	jsonBody
}

const exampleStream = `id: 0
event: run.started
data: {"conversationId":"01a20b45-322f-7c1e-8f20-93d0c2b8a7e4","runId":"01a20b45-322f-7d52-a1b6-0f4f6c7d8e9a"}

id: 1
event: message.delta
data: {"text":"It is half past twelve "}

id: 2
event: message.completed
data: {"messageId":"01a20b45-322f-7e10-9c3d-5b6a7f8091a2","text":"It is half past twelve in Helsinki."}

id: 3
event: run.completed
data: {"status":"completed"}

`

// ChatAnswer is the answer to a message.
type ChatAnswer struct {
	ConversationID string            `json:"conversationId" format:"uuid" doc:"Send it with the next message."`
	RunID          string            `json:"runId" format:"uuid" doc:"This turn."`
	Message        ChatMessage       `json:"message"`
	ToolCalls      []parley.ToolCall `json:"toolCalls" nullable:"false" doc:"The tools that were used for the answer."`
	Usage          parley.Usage      `json:"usage"`
}

// ChatMessage is what the agent said.
type ChatMessage struct {
	Role string `json:"role" enum:"assistant" doc:"Always the assistant."`
	Text string `json:"text" doc:"The answer." example:"It is half past twelve in Helsinki."`
}

// chatOperation answers JSON or a stream.
var chatOperation = operation{method: http.MethodPost, path: "/api/v1/agents/{agentId}/chat", id: "chat", tag: "Chat", scope: parley.ScopeChat,
	summary: "Send a message to a chat agent", example: map[string]any{"message": "What time is it in Helsinki?"},
	description: "Answers JSON, or with `Accept: text/event-stream` the events of the run: run.started, message.delta, tool.started, tool.completed, " +
		"message.completed, error, run.completed. A run goes on when the client goes away; read its conversation for the rest. " +
		"While a request with the same Idempotency-Key is being answered, the answer is 409 with Retry-After; a run that failed has failed for good, so send the message again with a new key.",
	refusals: []int{404, 409, 503}, spends: true}

func (a *API) chatOperations() {
	o := chatOperation
	o.body = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"message"}, Properties: map[string]*huma.Schema{
		"message":        {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(chat.MaxMessage), Pattern: notBlank, Description: "What the visitor says."},
		"conversationId": {Type: huma.TypeString, Format: "uuid", Description: "Absent begins a conversation."},
		"test":           {Type: huma.TypeBoolean, Description: "Works whatever the agent's status, and marks the conversation as a test."},
	}}
	op := a.describe(o)
	op.Responses["200"] = &huma.Response{Description: "OK", Headers: headerRefs(o.headers()...), Content: map[string]*huma.MediaType{
		"application/json":  {Schema: a.schemaOf(reflect.TypeFor[success[ChatAnswer]]())},
		"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString, Description: "Server-sent events with id, event and JSON data."}, Example: exampleStream},
	}}
	huma.Register(a.api, op, a.chat)
	documentBody(op, o)
}

func (a *API) chat(ctx context.Context, in *chatInput) (*output, error) {
	orgID := auth.Principal(ctx).OrgID
	req, err := chatRequest(in)
	if err != nil {
		return nil, a.problem(ctx, err)
	}
	claim, err := a.claimOf(ctx, chatOperation, in)
	if err != nil {
		return nil, a.problem(ctx, err)
	}
	starting, cancel := context.WithTimeout(ctx, a.opt.Patience)
	defer cancel()
	run, replayed, err := a.startRun(starting, orgID, req, claim)
	if err != nil {
		return nil, a.problem(ctx, err)
	}
	answer := a.answer
	if wantsStream(in.Accept) {
		answer = a.stream
	}
	return &output{Body: func(hc huma.Context) {
		if replayed {
			hc.SetHeader(headerReplayed, "true")
		}
		answer(hc, run)
	}}, nil
}

// chatRequest reads and checks a message.
func chatRequest(in *chatInput) (chat.Request, error) {
	req := chat.Request{AgentID: in.AgentID}
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return req, err
	}
	fields, err := in.fields()
	if err != nil {
		return req, err
	}
	fields.Required("message")
	fields.Text("message", &req.Message, 1, chat.MaxMessage)
	fields.Text("conversationId", &req.ConversationID, 0, 64)
	fields.Bool("test", &req.Test)
	if err := fields.Done(); err != nil {
		return req, err
	}
	if fields.Has("conversationId") {
		return req, notFoundID(req.ConversationID, "Conversation")
	}
	return req, nil
}

// startRun begins a run, or finds the one that an equal request with the same Idempotency-Key began. The claim
// of the key is committed with the run, whose row and log are the record of the answer: an answer to a model's
// bill cannot be kept in the transaction that asks for it.
func (a *API) startRun(ctx context.Context, orgID string, req chat.Request, c *claim) (run *chat.Run, replayed bool, err error) {
	if c != nil {
		standing, err := a.opt.Store.FindIdempotency(ctx, orgID, c.id)
		if err == nil && standing.ExpiresAt.After(c.now) {
			return a.recall(ctx, orgID, c, standing)
		}
		if err != nil && !parley.IsNotFound(err) {
			return nil, false, err
		}
		req.Claim = func(ctx context.Context, tx *store.Tx, runID string) error {
			standing, mine, err := tx.ClaimIdempotency(ctx, orgID, c.id, c.row(false, runID))
			if err == nil && !mine {
				return &claimedError{standing}
			}
			return err
		}
		defer a.sweep(ctx)
	}
	req.Claim = a.daily(orgID, req)
	run, err = a.opt.Chat.Start(ctx, orgID, req)
	if taken, ok := errors.AsType[*claimedError](err); ok {
		return a.recall(ctx, orgID, c, taken.standing)
	}
	if parley.ErrorCode(err) == parley.CodeUnavailable {
		err = respond.WithStatus(err, http.StatusConflict) // the agent does not answer (contract §5)
	}
	return run, false, err
}

// daily counts a message to the agent's dailyMessageLimit, as those of websites, in the transaction that accepts it and
// after the request's own claim. Tests are not counted.
func (a *API) daily(orgID string, req chat.Request) func(context.Context, *store.Tx, string) error {
	now := a.now().UTC()
	return func(ctx context.Context, tx *store.Tx, runID string) error {
		if req.Claim != nil {
			if err := req.Claim(ctx, tx, runID); err != nil {
				return err
			}
		}
		agent, err := tx.FindWidgetAgent(ctx, req.AgentID)
		most := agent.Chat.DailyMessageLimit
		if err != nil || most == nil || req.Test {
			return err
		}
		n, err := tx.CountMessages(ctx, orgID, req.AgentID, store.Day(now), "")
		if err != nil || n[0] <= *most {
			return err
		}
		refusal := parley.Errorf(parley.CodeRateLimited, "The agent has had its %d messages of today (config.dailyMessageLimit). Raise the limit, or go on tomorrow.", *most)
		return respond.WithRetry(refusal, now.Truncate(24*time.Hour).Add(24*time.Hour).Sub(now))
	}
}

// claimedError says that an equal request came first.
type claimedError struct{ standing store.Claim }

func (*claimedError) Error() string { return "the idempotency key is claimed" }

// recall finds the run of a claim. While it is under way the client is asked to come back.
func (a *API) recall(ctx context.Context, orgID string, c *claim, standing store.Claim) (*chat.Run, bool, error) {
	if !standing.Same(c.fingerprint) {
		return nil, false, errOtherBody()
	}
	busy := respond.WithRetry(parley.Errorf(parley.CodeConflict, "The request with this Idempotency-Key is still being answered. Send it again in a moment."), time.Second)
	run, err := a.opt.Chat.Recall(ctx, orgID, standing.RunID)
	if parley.IsConflict(err) {
		return nil, false, busy
	}
	if err != nil {
		return nil, false, err
	}
	select {
	case <-run.Done():
		return run, true, nil
	default:
		return nil, false, busy
	}
}

// wantsStream reports whether the client names the event stream before anything else that it takes.
func wantsStream(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	media, _, _ := strings.Cut(first, ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// answer waits for the whole answer. The server's write deadline is lifted: the run has its own.
func (a *API) answer(hc huma.Context, run *chat.Run) {
	r, w := unwrap(hc)
	r = r.WithContext(hc.Context())
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	res, err := run.Wait(r.Context())
	if err != nil {
		respond.Error(w, r, a.opt.Logger, err)
		return
	}
	respond.JSON(w, http.StatusOK, success[ChatAnswer]{Success: true, Data: ChatAnswer{
		ConversationID: res.ConversationID, RunID: res.RunID, Message: ChatMessage{Role: "assistant", Text: res.Text},
		ToolCalls: append([]parley.ToolCall{}, res.ToolCalls...), Usage: res.Usage,
	}})
}

// stream sends the events of a run until it ends or the client goes away, which the run does not notice.
func (a *API) stream(hc huma.Context, run *chat.Run) {
	r, w := unwrap(hc)
	w.Header().Set("Server-Timing", fmt.Sprintf("commit;dur=%.2f", float64(run.CommitWait.Microseconds())/1000))
	s := respond.NewStream(w)
	s.Send(0, "run.started", map[string]string{"runId": run.ID, "conversationId": run.ConversationID})
	run.Pour(r.Context(), 0, s, respond.Heartbeat)
}
