package model

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"parley/internal/sim/schema"
)

func post(t *testing.T, s *Server, key, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.BaseURL()+"/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// chunks reads a stream; done tells whether it ended with [DONE].
func chunks(t *testing.T, r io.Reader) (out []map[string]any, done bool) {
	t.Helper()
	check := schema.ChatChunk(t)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return out, true
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			t.Fatal(err)
		}
		if m["error"] == nil {
			check.Check(t, []byte(data))
		}
		out = append(out, m)
	}
	return out, false
}

const timeTool = `"tools":[{"type":"function","function":{"name":"current_time","parameters":{"type":"object","properties":{}}}}]`

func TestChatStream(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	got, done := chunks(t, post(t, s, s.Key(), `{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello there"}]}`).Body)
	if !done {
		t.Fatal("no [DONE]")
	}
	var words strings.Builder
	for _, m := range got[:len(got)-1] {
		d := m["choices"].([]any)[0].(map[string]any)["delta"].(map[string]any)
		text, _ := d["content"].(string)
		words.WriteString(text)
	}
	if want := "You are talking to Parley's simulated model. You said: hello there"; words.String() != want {
		t.Errorf("said %q", words.String())
	}
	last := got[len(got)-1]
	if len(last["choices"].([]any)) != 0 || last["usage"].(map[string]any)["total_tokens"].(float64) <= 0 {
		t.Errorf("the last chunk is %v, want usage without choices", last)
	}
}

func TestChatCallsInterleave(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	s.ScriptChat(ChatReply{Calls: []Call{{"a", `{"one":"first"}`}, {"b", `{"two":"second"}`}}, Pace: -1})
	got, _ := chunks(t, post(t, s, s.Key(), `{"model":"gpt-4o","stream":true,`+timeTool+`,"messages":[{"role":"user","content":"x"}]}`).Body)
	arguments, turns, lastIndex := map[float64]string{}, 0, -1.0
	finish := ""
	for _, m := range got {
		choice := m["choices"].([]any)[0].(map[string]any)
		if f, ok := choice["finish_reason"].(string); ok {
			finish = f
		}
		calls, _ := choice["delta"].(map[string]any)["tool_calls"].([]any)
		for _, c := range calls {
			index := c.(map[string]any)["index"].(float64)
			if index != lastIndex {
				turns++
				lastIndex = index
			}
			arguments[index] += c.(map[string]any)["function"].(map[string]any)["arguments"].(string)
		}
	}
	if arguments[0] != `{"one":"first"}` || arguments[1] != `{"two":"second"}` || turns < 4 || finish != "tool_calls" {
		t.Errorf("arguments %v in %d turns, finish %q", arguments, turns, finish)
	}
}

func TestChatTool(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	var answer struct {
		Choices []struct {
			Message struct {
				Content   *string
				ToolCalls []struct {
					ID       string
					Function struct{ Name string }
				} `json:"tool_calls"`
			}
		}
	}
	decode := func(r *http.Response) {
		t.Helper()
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.StatusCode != 200 {
			t.Fatalf("status %d: %v", r.StatusCode, err)
		}
	}
	decode(post(t, s, s.Key(), `{"model":"gpt-4o",`+timeTool+`,"messages":[{"role":"user","content":"What time is it?"}]}`))
	calls := answer.Choices[0].Message.ToolCalls
	if len(calls) != 1 || calls[0].Function.Name != "current_time" {
		t.Fatalf("calls %v", calls)
	}
	decode(post(t, s, s.Key(), `{"model":"gpt-4o",`+timeTool+`,"messages":[{"role":"user","content":"What time is it?"},
		{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"current_time","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"14:05"}]}`))
	if got := *answer.Choices[0].Message.Content; !strings.HasSuffix(got, "The tool answered: 14:05") {
		t.Errorf("said %q", got)
	}
}

func TestChatRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	const user = `{"role":"user","content":"x"}`
	const call = `{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	cases := map[string]string{
		"not JSON":                  `{`,
		"no model":                  `{"messages":[` + user + `]}`,
		"no messages":               `{"model":"m"}`,
		"empty messages":            `{"model":"m","messages":[]}`,
		"unknown field":             `{"model":"m","messages":[` + user + `],"instructions":"x"}`,
		"unknown role":              `{"model":"m","messages":[{"role":"bot","content":"x"}]}`,
		"flat tool":                 `{"model":"m","messages":[` + user + `],"tools":[{"type":"function","name":"f"}]}`,
		"no tools, empty list":      `{"model":"m","messages":[` + user + `],"tools":[]}`,
		"choice without tools":      `{"model":"m","messages":[` + user + `],"tool_choice":"auto"}`,
		"stream options, no stream": `{"model":"m","messages":[` + user + `],"stream_options":{"include_usage":true}}`,
		"unanswered call":           `{"model":"m","messages":[` + user + `,` + call + `]}`,
		"call answered too late":    `{"model":"m","messages":[` + call + `,` + user + `,{"role":"tool","tool_call_id":"c1","content":"x"}]}`,
		"answer to nothing":         `{"model":"m","messages":[{"role":"tool","tool_call_id":"c1","content":"x"}]}`,
		"answered twice":            `{"model":"m","messages":[` + call + `,{"role":"tool","tool_call_id":"c1","content":"x"},{"role":"tool","tool_call_id":"c1","content":"x"}]}`,
		"empty assistant":           `{"model":"m","messages":[{"role":"assistant","content":null}]}`,
	}
	for name, body := range cases {
		resp := post(t, s, s.Key(), body)
		var e struct {
			Error *struct{ Message, Type string }
		}
		if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || resp.StatusCode != 400 || e.Error == nil || e.Error.Message == "" {
			t.Errorf("%s: status %d, error %+v (%v)", name, resp.StatusCode, e.Error, err)
		}
	}
}

func TestChatFailures(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	const body = `{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"one two three four"}]}`
	if got := post(t, s, "sk-wrong", body).StatusCode; got != 401 {
		t.Errorf("wrong key: %d", got)
	}
	s.ScriptChat(ChatReply{Status: 429}, ChatReply{Quota: true}, ChatReply{Status: 500},
		ChatReply{Text: "a b c d e", FailAfter: 3, Pace: -1}, ChatReply{Text: "a b c d e", CutAfter: 3, Pace: -1})
	if resp := post(t, s, s.Key(), body); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("429: %d, %v", resp.StatusCode, resp.Header)
	}
	raw, _ := io.ReadAll(post(t, s, s.Key(), body).Body)
	if !strings.Contains(string(raw), `"insufficient_quota"`) {
		t.Errorf("quota: %s", raw)
	}
	if got := post(t, s, s.Key(), body).StatusCode; got != 500 {
		t.Errorf("500: %d", got)
	}
	got, done := chunks(t, post(t, s, s.Key(), body).Body)
	if done || len(got) != 4 || got[3]["error"] == nil {
		t.Errorf("mid-stream error: done %v after %v", done, got)
	}
	got, done = chunks(t, post(t, s, s.Key(), body).Body)
	if done || len(got) != 3 {
		t.Errorf("cut: done %v after %d chunks, want 3", done, len(got))
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	s := start(t, quick)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.BaseURL()+"/models", nil)
	req.Header.Set("Authorization", "Bearer "+s.Key())
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !strings.Contains(string(raw), "gpt-4o") || resp.Header.Get(simulatedHeader) != "1" {
		t.Errorf("%d %s", resp.StatusCode, raw)
	}
}
