package openai

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley"
	"parley/internal/leg"
)

func TestDecodeTakesWhatAServerMaySay(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]leg.ModelKind{
		// Unknown events of any shape are no fault of the call's.
		`{"type":"response.hologram.delta","delta":{"x":1},"item":"i","usage":3,"error":"none"}`:    0,
		`{"type":"rate_limits.updated","rate_limits":[{"name":"tokens","limit":1.5}]}`:              leg.ModelRateLimits,
		`{"type":"conversation.item.added","previous_item_id":null,"item":{"id":"i","content":[]}}`: 0,
		`{"event_id":"e"}`: 0,
		`{"type":7}`:       leg.ModelError,
		`not JSON`:         leg.ModelError,
		// Null and missing members.
		`{"type":"error","error":{"type":"invalid_request_error","code":null,"message":"m","param":null,"event_id":null}}`: leg.ModelError,
		`{"type":"error","error":null}`: leg.ModelError,
		`{"type":"error"}`:              leg.ModelError,
		`{"type":"conversation.item.input_audio_transcription.failed","item_id":"i","error":{"type":null,"code":null,"message":null}}`:                       leg.ModelTranscriptFailed,
		`{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"t","usage":null}`:                                       leg.ModelTranscript,
		`{"type":"response.done","response":{"id":"r","status":"failed","status_details":null,"usage":null,"output":null}}`:                                  leg.ModelResponseDone,
		`{"type":"response.done","response":{"id":"r","status":"cancelled","status_details":{"type":"cancelled","reason":"client_cancelled","error":null}}}`: leg.ModelResponseDone,
		`{"type":"response.done","response":null}`:         0,
		`{"type":"response.output_item.done","item":null}`: 0,
		// Known events that cannot be read are told.
		`{"type":"response.output_audio.delta","delta":7}`:     leg.ModelError,
		`{"type":"response.output_audio.delta","delta":"%%%"}`: leg.ModelError,
	} {
		var ev leg.ModelEvent
		ok := decodeRealtime([]byte(raw), &ev)
		if ok != (want != 0) || ok && ev.Kind != want {
			t.Errorf("%s: kind %d, %v, want %d", raw, ev.Kind, ok, want)
		}
		if ok && (ev.Kind == leg.ModelError || ev.Kind == leg.ModelTranscriptFailed) && ev.Err == nil {
			t.Errorf("%s: no failure", raw)
		}
	}
}

// TestDecodeDoneWithoutStatus: status is optional in OpenAI's schema. A function call that was done and never run would
// leave the caller in silence.
func TestDecodeDoneWithoutStatus(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"type":"response.output_item.done","item":{"id":"i","type":"function_call","call_id":"c","name":"n","arguments":"{}"}}`: "completed",
		`{"type":"response.output_item.done","item":{"id":"i","type":"function_call","status":"incomplete"}}`:                     "incomplete",
		`{"type":"response.done","response":{"id":"r","status":null}}`:                                                            "completed",
		`{"type":"response.done","response":{"id":"r","status":"cancelled"}}`:                                                     "cancelled",
	} {
		var ev leg.ModelEvent
		if ok := decodeRealtime([]byte(raw), &ev); !ok || ev.Status != want {
			t.Errorf("%s: status %q, want %q", raw, ev.Status, want)
		}
	}
}

// TestDecodeUsage: no token may go unbilled, or be billed as uncached, because a server gives fewer details.
func TestDecodeUsage(t *testing.T) {
	t.Parallel()
	for usage, want := range map[string]parley.Usage{
		`"input_tokens":20,"output_tokens":10`: {InputAudioTokens: 20, OutputAudioTokens: 10, InputTokens: 20, OutputTokens: 10},
		`"input_tokens":20,"input_token_details":{"text_tokens":5,"audio_tokens":15,"cached_tokens":8}`: {
			InputTextTokens: 5, InputAudioTokens: 15, CachedTextTokens: 5, CachedAudioTokens: 3, InputTokens: 20},
		`"input_tokens":20,"input_token_details":{"text_tokens":5,"audio_tokens":15,"cached_tokens":8,"cached_tokens_details":{"audio_tokens":8}}`: {
			InputTextTokens: 5, InputAudioTokens: 15, CachedAudioTokens: 8, InputTokens: 20},
		`"output_tokens":30,"output_token_details":{"text_tokens":4,"audio_tokens":10}`: { // 16 of reasoning
			OutputTextTokens: 20, OutputAudioTokens: 10, OutputTokens: 30},
	} {
		var ev leg.ModelEvent
		ok := decodeRealtime([]byte(`{"type":"response.done","response":{"id":"r","usage":{`+usage+`}}}`), &ev)
		if !ok || ev.Usage == nil || *ev.Usage != want {
			t.Errorf("%s: %+v, want %+v", usage, ev.Usage, want)
		}
	}
}

// TestRefusalNeverRepeatsTheKey: a server may quote the key that it refuses.
func TestRefusalNeverRepeatsTheKey(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","code":null,"message":"Incorrect API key provided: ` +
			strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + `"}}`))
	}))
	t.Cleanup(srv.Close)
	_, err := DialRealtime(context.Background(), RealtimeOptions{BaseURL: srv.URL, Key: "sk-canary", Model: "m"})
	if err == nil || strings.Contains(err.Error(), "sk-canary") || !strings.Contains(err.Error(), "Incorrect API key") {
		t.Errorf("error %v", err)
	}
	if Retryable(err) {
		t.Error("a refused key is worth another try")
	}
}
