package openai

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/sim/model"
	"parley/internal/sim/schema"
)

// tap validates what our adapter sends, while the simulated model runs.
type tap struct {
	mu   sync.Mutex
	sent [][]byte
}

func (tp *tap) see(_ *model.Conn, dir model.Direction, raw []byte) {
	if dir == model.FromClient {
		tp.mu.Lock()
		tp.sent = append(tp.sent, append([]byte(nil), raw...))
		tp.mu.Unlock()
	}
}

func dialSim(t *testing.T, opt model.Options) (*Realtime, *model.Server) {
	t.Helper()
	srv, err := model.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := DialRealtime(ctx, RealtimeOptions{BaseURL: srv.BaseURL(), Key: srv.Key(), Model: "gpt-realtime"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		r.Wait()
		_ = srv.Close()
	})
	return r, srv
}

// until reads events up to one of a kind; an unexpected error event fails the test.
func until(t *testing.T, r *Realtime, kind leg.ModelKind) leg.ModelEvent {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case ev, ok := <-r.Events():
			if !ok {
				t.Fatalf("connection ended: %v", r.Err())
			}
			if ev.Kind == kind {
				return ev
			}
			if ev.Kind == leg.ModelError {
				t.Fatalf("model refused: %v", ev.Err)
			}
		case <-deadline:
			t.Fatalf("no event of kind %d", kind)
		}
	}
}

func TestEveryClientEventIsAcceptedByTheStrictModelAndSchema(t *testing.T) {
	tp := &tap{}
	r, _ := dialSim(t, model.Options{OnMessage: tp.see})
	tool, _ := parley.BuiltinTool("current_time")
	lang := leg.SessionConfig{
		Instructions: "Be brief.", Voice: "sage", Speed: 1.5, Transcription: true, Language: "pt-BR",
		NoiseReduction: "near_field", Threshold: 0.5, SilenceDurationMs: 700, Tools: []parley.Tool{tool},
	}
	if _, err := r.Configure(lang); err != nil {
		t.Fatal(err)
	}
	until(t, r, leg.ModelSessionUpdated)
	if _, err := r.Configure(leg.SessionConfig{Voice: "sage", Speed: 1, SemanticVAD: true, Eagerness: "high"}); err != nil {
		t.Fatal(err)
	}
	until(t, r, leg.ModelSessionUpdated)
	for _, h := range []leg.HistoryItem{
		{Role: "user", Text: "hi", ID: "item_of_an_earlier_session"},
		{Role: "assistant", Text: "hel—"},
		{Role: "system", Text: "The line was bad.", After: "item_of_an_earlier_session"},
		{Role: "user", Audio: strings.Repeat("\x7f", 800)},
		{Kind: leg.HistoryToolCall, CallID: "call_1", Name: "current_time", Arguments: "{}"},
		{Kind: leg.HistoryToolResult, CallID: "call_1", Text: ""},
	} {
		if err := r.AddItem(h); err != nil {
			t.Fatal(err)
		}
	}
	_ = r.AppendAudio(make([]byte, 160))
	if _, err := r.CreateResponse(leg.Ask{Instructions: `Say exactly "Good morning to you, dear caller, on this fine day."`, NoTools: true, Purpose: "greeting"}); err != nil {
		t.Fatal(err)
	}
	created := until(t, r, leg.ModelResponseCreated)
	audio := until(t, r, leg.ModelAudio)
	if len(audio.Audio) == 0 || audio.ResponseID != created.ResponseID || audio.ItemID == "" {
		t.Errorf("audio event %+v", audio)
	}
	_, _ = r.CancelResponse(created.ResponseID)
	done := until(t, r, leg.ModelResponseDone)
	if done.Status != "cancelled" || done.Usage == nil {
		t.Errorf("response done %+v", done)
	}
	_, _ = r.Truncate(audio.ItemID, 0, 1)
	if ev := until(t, r, leg.ModelTruncated); ev.AudioMs != 1 {
		t.Errorf("truncated %+v", ev)
	}
	_, _ = r.DeleteItem(audio.ItemID)
	until(t, r, leg.ModelDeleted)
	_ = r.Probe()
	until(t, r, leg.ModelSessionUpdated)

	tp.mu.Lock()
	defer tp.mu.Unlock()
	for _, raw := range tp.sent {
		schema.RealtimeClient(t).Check(t, raw)
	}
	if len(tp.sent) != 14 {
		t.Errorf("%d client events", len(tp.sent))
	}
}

func TestToolCallGoesOutAndComesBack(t *testing.T) {
	tp := &tap{}
	r, srv := dialSim(t, model.Options{OnMessage: tp.see})
	srv.Script(model.CallTool("current_time", `{"timezone":"UTC"}`), model.Say("Done."))
	tool, _ := parley.BuiltinTool("current_time")
	_, _ = r.Configure(leg.SessionConfig{Voice: "sage", Speed: 1, Tools: []parley.Tool{tool}})
	until(t, r, leg.ModelSessionUpdated)
	_, _ = r.CreateResponse(leg.Ask{})
	item := until(t, r, leg.ModelItemDone)
	if item.ItemType != "function_call" || item.Status != "completed" || item.Text != "current_time" || item.Arguments != `{"timezone":"UTC"}` {
		t.Errorf("item %+v", item)
	}
	until(t, r, leg.ModelResponseDone)
	_ = r.SendToolResult(item.CallID, `{"utc":"now"}`)
	_, _ = r.CreateResponse(leg.Ask{})
	until(t, r, leg.ModelText)
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for _, raw := range tp.sent {
		schema.RealtimeClient(t).Check(t, raw)
	}
}

func TestRefusals(t *testing.T) {
	srv, err := model.Start(model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = srv.Close() }()
	_, err = DialRealtime(t.Context(), RealtimeOptions{BaseURL: srv.BaseURL(), Key: "sk-secret", Model: "m"})
	fail, ok := errors.AsType[*leg.ModelFailure](err)
	if !ok || fail.Code != "invalid_api_key" || Retryable(err) || strings.Contains(err.Error(), "sk-secret") {
		t.Errorf("wrong key: %v", err)
	}
	srv.Configure(func(o *model.Options) { o.Status = 503 })
	if _, err = DialRealtime(t.Context(), RealtimeOptions{BaseURL: srv.BaseURL(), Key: srv.Key(), Model: "m"}); err == nil || !Retryable(err) {
		t.Errorf("server error: %v", err)
	}
	if _, err = DialRealtime(t.Context(), RealtimeOptions{BaseURL: "http://127.0.0.1:1/v1", Model: "m"}); err == nil || !Retryable(err) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err = DialRealtime(t.Context(), RealtimeOptions{BaseURL: "ftp://x", Model: "m"}); err == nil {
		t.Error("a base URL without http was accepted")
	}
}

func TestLostConnectionClosesTheEvents(t *testing.T) {
	r, srv := dialSim(t, model.Options{})
	until(t, r, leg.ModelSessionCreated)
	srv.Conns()[0].Drop()
	for range r.Events() {
	}
	if r.Err() == nil {
		t.Error("a lost connection left no reason")
	}
}

func FuzzDecodeRealtime(f *testing.F) {
	f.Add([]byte(`{"type":"response.output_audio.delta","delta":"AAAA"}`))
	f.Add([]byte(`{"type":"response.done","response":{"id":"r","status_details":{"error":{}}}}`))
	f.Add([]byte(`{"type":"error"}`))
	f.Add([]byte(`{"type":"response.done","response":{"usage":{"input_token_details":null}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ev leg.ModelEvent
		ok := decodeRealtime(raw, &ev)
		if ok && (ev.Kind == 0 || ev.Kind == leg.ModelError && ev.Err == nil) {
			t.Errorf("%q: %+v", raw, ev)
		}
	})
}

// FuzzFastAudio checks that of valid JSON the fast decoder reads what the other one reads.
func FuzzFastAudio(f *testing.F) {
	f.Add([]byte(`{"event_id":"event_1","type":"response.output_audio.delta","response_id":"r","item_id":"i","output_index":0,"content_index":1,"delta":"AAAA"}`))
	f.Add([]byte(`{"type":"response.output_audio.delta","delta":"AAAA","delta":"BBBB"}`))
	f.Add([]byte(`{"type":"response.output_audio.delta","content_index":01,"item":{"id":"x"},"delta":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var fast, slow leg.ModelEvent
		if !new(Realtime).fastAudio(raw, &fast) || !json.Valid(raw) {
			return
		}
		decodeRealtime(raw, &slow)
		if slow.Kind == leg.ModelError {
			return // a member that says nothing of audio has the wrong type: the fast way does not look
		}
		if !bytes.Equal(fast.Audio, slow.Audio) {
			t.Fatalf("%q: fast %q, slow %q", raw, fast.Audio, slow.Audio)
		}
		fast.Audio, slow.Audio = nil, nil
		if !reflect.DeepEqual(fast, slow) {
			t.Fatalf("%q: fast %+v, slow %+v", raw, fast, slow)
		}
	})
}

func TestFastAudioTakesWhatOpenAISends(t *testing.T) {
	t.Parallel()
	r := new(Realtime)
	var ev, next leg.ModelEvent
	ok := r.fastAudio([]byte(`{"type":"response.output_audio.delta","event_id":"event_1","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":"AQID"}`), &ev)
	want := leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: "resp_1", ItemID: "item_1", Audio: []byte{1, 2, 3}}
	if !ok || !reflect.DeepEqual(ev, want) {
		t.Errorf("%+v, %v", ev, ok)
	}
	r.fastAudio([]byte(`{"type":"response.output_audio.delta","response_id":"resp_1","item_id":"item_2","content_index":0,"delta":"BAUG"}`), &next)
	if next.ItemID != "item_2" || ev.ItemID != "item_1" || !bytes.Equal(ev.Audio, want.Audio) {
		t.Errorf("%+v after %+v", next, ev)
	}
}

// BenchmarkDecodeAudioDelta is a delta of 200 ms; the echo of parley-load sends them of 20 ms.
func BenchmarkDecodeAudioDelta(b *testing.B) {
	for name, ms := range map[string]int{"20ms": 20, "200ms": 200} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(`{"event_id":"event_1","type":"response.output_audio.delta","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":"` +
				base64.StdEncoding.EncodeToString(make([]byte, 8*ms)) + `"}`)
			r := &Realtime{buffers: leg.NewBuffers(realtimeEvents)}
			b.ReportAllocs()
			var ev leg.ModelEvent
			for b.Loop() {
				if !r.fastAudio(raw, &ev) {
					b.Fatal("not decoded")
				}
			}
		})
	}
}
