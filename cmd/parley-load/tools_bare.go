package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// bareTurn does what the server does for a turn with a tool, and nothing else: it streams from the model, asks the
// tool, and tells the model. It checks, records and bounds nothing. What it needs is what the machine costs.
func (r *toolRig) bareTurn(ctx context.Context, message string, history any) (a answered, next any, err error) {
	began := time.Now()
	messages, _ := history.([]map[string]any)
	messages = append(messages, map[string]any{"role": "user", "content": message})
	said, err := r.complete(ctx, messages)
	if err != nil {
		return a, nil, err
	}
	var args struct{ Trip string }
	if err := json.Unmarshal([]byte(said.arguments), &args); err != nil {
		return a, nil, fmt.Errorf("the model called no tool: %w", err)
	}
	output, err := r.fetch(ctx, http.MethodGet, r.origin+"/quick?trip="+args.Trip, nil)
	if err != nil {
		return a, nil, err
	}
	raw, err := io.ReadAll(output)
	_ = output.Close()
	if err != nil {
		return a, nil, err
	}
	messages = append(messages, map[string]any{"role": "assistant", "tool_calls": []any{map[string]any{
		"id": said.callID, "type": "function", "function": map[string]any{"name": "quick", "arguments": said.arguments},
	}}}, map[string]any{"role": "tool", "tool_call_id": said.callID, "content": string(raw)})
	if said, err = r.complete(ctx, messages); err != nil {
		return a, nil, err
	}
	a.text, a.whole = said.text, time.Since(began)
	return a, append(messages, map[string]any{"role": "assistant", "content": said.text}), nil
}

// completion is what a model said in one answer.
type completion struct{ text, callID, arguments string }

func (r *toolRig) complete(ctx context.Context, messages []map[string]any) (c completion, err error) {
	raw, err := json.Marshal(map[string]any{"model": "gpt-4o", "stream": true, "messages": messages, "tools": []any{map[string]any{
		"type": "function", "function": map[string]any{"name": "quick", "description": "Looks something up.", "parameters": map[string]any{
			"type": "object", "properties": map[string]any{"trip": map[string]any{"type": "string"}}, "required": []string{"trip"},
		}},
	}}})
	if err != nil {
		return c, err
	}
	body, err := r.fetch(ctx, http.MethodPost, r.model.BaseURL()+"/chat/completions", raw)
	if err != nil {
		return c, err
	}
	defer body.Close()
	var text, arguments strings.Builder
	for lines := bufio.NewScanner(body); lines.Scan(); {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok || string(data) == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content   string
					ToolCalls []struct {
						ID       string
						Function struct{ Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			return c, err
		}
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
			for _, call := range choice.Delta.ToolCalls {
				c.callID += call.ID
				arguments.WriteString(call.Function.Arguments)
			}
		}
	}
	c.text, c.arguments = text.String(), arguments.String()
	return c, nil
}

func (r *toolRig) fetch(ctx context.Context, method, url string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + r.model.Key()}}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := refused(res); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res.Body, nil
}
