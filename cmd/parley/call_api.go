package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley"
)

// callAPI is the little of the REST API that `parley call` needs.
type callAPI struct {
	base, key string
	client    *http.Client
}

func newCallAPI(base, key string) *callAPI {
	return &callAPI{strings.TrimRight(base, "/"), key, &http.Client{Timeout: 15 * time.Second}}
}

func (a *callAPI) get(ctx context.Context, path string, into any) error {
	return a.do(ctx, http.MethodGet, path, nil, into)
}

func (a *callAPI) post(ctx context.Context, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return a.do(ctx, http.MethodPost, path, raw, into)
}

func (a *callAPI) do(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return noServer(a.base, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", a.base+path, err)
	}
	var answer struct {
		Data  json.RawMessage
		Error *struct{ Message string }
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Data == nil && answer.Error == nil {
		return fmt.Errorf("%s is not a Parley server (HTTP %d where an API answer was expected): check --url", a.base, res.StatusCode)
	}
	if answer.Error != nil {
		return refusal(res.StatusCode, answer.Error.Message)
	}
	return json.Unmarshal(answer.Data, into)
}

func noServer(base string, err error) error {
	return fmt.Errorf("no server answers at %s (%w): start one with `go run ./cmd/parley serve`, or name its address with --url", base, cause(err))
}

// cause is the innermost error: "connection refused" instead of the whole path to it.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func refusal(status int, message string) error {
	switch status {
	case http.StatusUnauthorized:
		return errors.New("the server does not accept the API key: pass a valid one with --key; `go run ./cmd/parley key create` makes one")
	case http.StatusForbidden:
		return fmt.Errorf("the API key may not place test calls: %s: use a key with the scopes calls, agents:read and conversations:read", message)
	case http.StatusNotFound:
		return fmt.Errorf("the server does not know whom to call: %s: check --agent or --to", message)
	}
	return fmt.Errorf("the server answered HTTP %d: %s", status, message)
}

// oldestVoiceAgent returns the id of the first agent made that answers calls.
func (a *callAPI) oldestVoiceAgent(ctx context.Context) (string, error) {
	var list struct {
		Agents []struct {
			ID     string
			Status parley.AgentStatus
		}
	}
	if err := a.get(ctx, "/api/v1/agents?type=voice&sort=createdAt&order=asc&limit=100", &list); err != nil {
		return "", err
	}
	for _, agent := range list.Agents {
		if agent.Status.Answers() {
			return agent.ID, nil
		}
	}
	return "", errors.New("no voice agent answers calls on this server: create one with POST /api/v1/agents, or name one with --agent or --to")
}

// events returns what a conversation's log holds after a sequence number.
func (a *callAPI) events(ctx context.Context, conversation string, after int64) ([]parley.Event, error) {
	var list struct{ Events []parley.Event }
	err := a.get(ctx, "/api/v1/conversations/"+conversation+"/events?after="+strconv.FormatInt(after, 10), &list)
	return list.Events, err
}
