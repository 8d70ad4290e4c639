package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// get fetches a page that needs no key.
func (s *server) get(ctx context.Context, path string) ([]byte, error) {
	return s.do(ctx, http.MethodGet, path, nil)
}

func (s *server) do(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("X-Api-Key", s.key)
	}
	res, err := oneShot.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answered %s: %.300s", method, path, res.Status, raw)
	}
	return raw, nil
}

// call asks the REST API and decodes data of its envelope into out.
func (s *server) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	raw, err := s.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	envelope := struct {
		Success bool `json:"success"`
		Data    any  `json:"data"`
	}{Data: out}
	if err := json.Unmarshal(raw, &envelope); err != nil || !envelope.Success {
		return fmt.Errorf("%s %s: not the API's envelope (%w): %.200s", method, path, err, raw)
	}
	return nil
}

// createAgent makes a voice agent that waits for the caller to speak, and returns its id.
func (s *server) createAgent(ctx context.Context, model string, transcription bool) (string, error) {
	in := map[string]any{
		"name": "Load test " + model, "type": "voice", "model": model,
		"instructions": "You answer the phone of a small company. Be friendly and brief.",
		"config":       map[string]any{"greeting": "", "transcription": transcription},
	}
	var agent struct{ ID string }
	err := s.call(ctx, http.MethodPost, "/api/v1/agents", in, &agent)
	return agent.ID, err
}

// conversation is what the API says about one call.
type conversation struct {
	ID, Status string
	EndReason  *string
}

// checkRecord waits until the conversation of a call is closed and says what is wrong with it.
func (s *server) checkRecord(ctx context.Context, agentID string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var c conversation
	err := poll(ctx, func() error {
		var page struct{ Conversations []conversation }
		if err := s.call(ctx, http.MethodGet, "/api/v1/conversations?agentId="+agentID, nil, &page); err != nil {
			return err
		}
		if len(page.Conversations) != 1 {
			return fmt.Errorf("%d conversations on record instead of one", len(page.Conversations))
		}
		if c = page.Conversations[0]; c.Status == "active" {
			return fmt.Errorf("the conversation %s is still active", c.ID)
		}
		return nil
	})
	switch {
	case err != nil:
		return err.Error()
	case c.Status != "completed" || c.EndReason == nil || *c.EndReason != "caller_hangup":
		return fmt.Sprintf("the conversation %s is %s, ended by %s", c.ID, c.Status, text(c.EndReason))
	}
	return s.checkEvents(ctx, c.ID)
}

// checkEvents reads the log of a conversation and says what is wrong with it: sequence numbers are gapless
// from 1, and nothing failed.
func (s *server) checkEvents(ctx context.Context, id string) string {
	for after := int64(0); ; {
		var page struct {
			Events []struct {
				Seq  int64
				Type string
				Data json.RawMessage
			}
			Pagination struct{ HasMore bool }
		}
		if err := s.call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/conversations/%s/events?after=%d", id, after), nil, &page); err != nil {
			return err.Error()
		}
		for _, e := range page.Events {
			switch {
			case e.Seq != after+1:
				return fmt.Sprintf("the record of %s has %d after %d", id, e.Seq, after)
			case e.Type == "error":
				return fmt.Sprintf("the record of %s holds an error: %s", id, e.Data)
			}
			after = e.Seq
		}
		if !page.Pagination.HasMore {
			if after == 0 {
				return "the record of " + id + " is empty"
			}
			return ""
		}
	}
}

func text(s *string) string {
	if s == nil {
		return "nothing"
	}
	return *s
}
