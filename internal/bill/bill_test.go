package bill

import (
	"testing"
	"time"

	"parley"
)

func TestStartedMinutes(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int64{0: 1, time.Second: 1, time.Minute: 1, time.Minute + 1: 2, 119 * time.Second: 2, time.Hour: 60} {
		if got := StartedMinutes(d); got != want {
			t.Errorf("%v: %d minutes, want %d", d, got, want)
		}
	}
}

func TestBillsArePricedAndCounted(t *testing.T) {
	t.Parallel()
	b := Builtin()
	u := parley.Usage{InputAudioTokens: 100, CachedAudioTokens: 40, OutputAudioTokens: 50, OutputTokens: 50, InputTokens: 100}
	if d := b.Response("gpt-realtime", "r1", u, false); d.Cost != 60*32+16+50*64 || d.Prices != parley.PriceVersion || d.ResponseID != "r1" {
		t.Errorf("response %+v", d)
	}
	if d := b.Response("gpt-realtime", "r2", u, true); d.Cost != 0 || d.Prices != "" || d.Usage != u {
		t.Errorf("simulated %+v", d)
	}
	if d := b.Transcription("gpt-4o-mini-transcribe", parley.Usage{TranscriptionTokens: 100}, false); d.Cost != 300 || d.Kind != parley.UsageTranscription {
		t.Errorf("transcription %+v", d)
	}
	if d := b.Running("inbound", "+14155550100", 61*time.Second, false); d.Cost != 25_000 || d.Usage.CarrierMinutes != 2 {
		t.Errorf("running %+v", d)
	}
	if d := b.Carrier("inbound", "+14155550100", 30*time.Second, false); d.Cost != 12_500 || d.Kind != parley.UsageCarrier {
		t.Errorf("carrier %+v", d)
	}
	b.Carrier("inbound", "+358401234567", 0, false)
	for want, got := range map[int64]int64{
		120: b.Tokens.Get("gpt-realtime", "audio_input"), 80: b.Tokens.Get("gpt-realtime", "cached_audio_input"),
		100: b.Tokens.Get("gpt-realtime", "audio_output"), 12_500: b.Cost.Get("carrier", "carrier"),
		5136: b.Cost.Get("gpt-realtime", "response"), 1: b.Unpriced.Get("carrier", "carrier"),
	} {
		if got != want {
			t.Errorf("counted %d, want %d", got, want)
		}
	}
}
