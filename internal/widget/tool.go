package widget

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"parley"
	"parley/internal/chat"
)

// Bounds of what a page says about tools.
const (
	maxClientTools = 100      // function names that a page has handlers for
	maxToolResult  = 64 << 10 // bytes of JSON
	maxToolBody    = maxToolResult + 1<<10
	maxClaim       = 100
	maxToolError   = 1_000
	toolsPerMinute = 300 // claims and results of a visitor
)

// readClientTools reads the names of the functions that the page can run.
func readClientTools(in *parley.Input, dst *[]string) {
	if in.Null("clientTools") {
		in.Skip("clientTools")
		return
	}
	in.List("clientTools", dst, maxClientTools, func(name string) string {
		if !parley.IsFunctionName(name) {
			return "must be the functionName of a tool."
		}
		return ""
	})
}

// claimTool gives a requested tool call to one page: POST /widget/v1/runs/{runId}/tools/{requestId}/claim. All pages of
// the visitor hear of the call; the one that is told `claimed` runs it.
func (h *Handler) claimTool(w http.ResponseWriter, r *http.Request, g guest) error {
	in, err := readBody(w, r)
	if err != nil {
		return err
	}
	claim := ""
	in.Required("claim")
	in.Text("claim", &claim, 1, maxClaim)
	if err := in.Done(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	runID, requestID, err := h.findToolCall(r.WithContext(ctx), g)
	if err != nil {
		return err
	}
	mine, err := h.opt.Chat.ClaimTool(ctx, g.OrgID, runID, requestID, claim)
	if err != nil {
		return err
	}
	return succeed(w, http.StatusOK, map[string]any{"claimed": mine})
}

// answerTool takes what the page has to say about a tool call: POST /widget/v1/runs/{runId}/tools/{requestId}.
func (h *Handler) answerTool(w http.ResponseWriter, r *http.Request, g guest) error {
	body, err := readJSON(w, r, maxToolBody, sayLargeResult)
	if err != nil {
		return err
	}
	in, err := parley.ParseInput(body)
	if err != nil {
		return err
	}
	a := chat.PageAnswer{}
	in.Text("claim", &a.Claim, 1, maxClaim)
	switch {
	case in.Has("result") == in.Has("error"):
		in.Fail("result", "is what the handler returned. Send it, or error with the reason why there is none.")
	case in.Has("error"):
		in.Text("error", &a.Failure, 0, maxToolError)
	}
	in.Skip("result")
	in.Skip("error")
	if err := in.Done(); err != nil {
		return err
	}
	if in.Has("result") {
		if a.Result, err = resultOf(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	runID, requestID, err := h.findToolCall(r.WithContext(ctx), g)
	if err != nil {
		return err
	}
	a.RequestID = requestID
	if err := h.opt.Chat.AnswerTool(ctx, g.OrgID, runID, a); err != nil {
		return err
	}
	return succeed(w, http.StatusOK, map[string]any{"requestId": requestID, "accepted": true})
}

// resultOf reads the member result, compact, of a body that was checked.
func resultOf(body []byte) (json.RawMessage, error) {
	var given struct{ Result json.RawMessage }
	var compact bytes.Buffer
	if err := json.Unmarshal(body, &given); err != nil || json.Compact(&compact, given.Result) != nil {
		return nil, parley.Errorf(parley.CodeInvalid, "The body is not JSON.")
	}
	if compact.Len() > maxToolResult {
		return nil, errTooLarge(sayLargeResult)
	}
	return compact.Bytes(), nil
}

// findToolCall charges the request and says which call of which of the visitor's runs the path names.
func (h *Handler) findToolCall(r *http.Request, g guest) (runID, requestID string, err error) {
	if err := h.perMinute(r.Context(), toolsPerMinute, "tools_per_visitor", sayTooFast, g.VisitorID); err != nil {
		return "", "", err
	}
	run, err := h.findRun(r, g)
	if err != nil {
		return "", "", err
	}
	requestID = r.PathValue("requestId")
	if !parley.IsID(requestID) {
		return "", "", parley.Errorf(parley.CodeNotFound, "Tool call not found")
	}
	return run.ID, requestID, nil
}
