// Package bill prices what models, transcriptions and the carrier charge for, by one table for the whole server,
// and counts it for the metrics.
//
// What is simulated is counted in tokens and minutes but costs nothing.
package bill

import (
	"time"

	"parley"
	"parley/internal/metric"
)

// Bill makes the bills that stand in conversations' logs. Safe for concurrent use.
type Bill struct {
	prices parley.Prices

	// Tokens counts by model and kind of token, Cost in micro-dollars by model and kind of bill; a carrier's model
	// is "carrier". Unpriced counts bills without a known price.
	Tokens, Cost, Unpriced *metric.Vec
}

// New makes a Bill that charges by the table.
func New(prices parley.Prices) *Bill {
	return &Bill{
		prices: prices,
		Tokens: metric.NewVec("model", "kind"), Cost: metric.NewVec("model", "kind"), Unpriced: metric.NewVec("model", "kind"),
	}
}

// Builtin makes a Bill that charges by the built-in table.
func Builtin() *Bill { return New(parley.BuiltinPrices()) }

// Knows reports whether the answers of a model have a price.
func (b *Bill) Knows(model string) bool {
	_, ok := b.prices.Models[model]
	return ok
}

// Response bills an answer of a model.
func (b *Bill) Response(model, responseID string, u parley.Usage, simulated bool) parley.UsageData {
	d := parley.UsageData{ResponseID: responseID, Model: model, Usage: u}
	if !simulated {
		d.Cost, d.Prices = b.prices.Response(model, u)
	}
	for kind, n := range map[string]int64{
		"text_input": u.InputTextTokens - u.CachedTextTokens, "cached_text_input": u.CachedTextTokens, "text_output": u.OutputTextTokens,
		"audio_input": u.InputAudioTokens - u.CachedAudioTokens, "cached_audio_input": u.CachedAudioTokens, "audio_output": u.OutputAudioTokens,
	} {
		if n > 0 {
			b.Tokens.Add(n, model, kind)
		}
	}
	b.count(d, model, "response", simulated)
	return d
}

// Transcription bills the transcription of a caller's words.
func (b *Bill) Transcription(model string, u parley.Usage, simulated bool) parley.UsageData {
	d := parley.UsageData{Kind: parley.UsageTranscription, Model: model, Usage: u}
	if !simulated {
		d.Cost, d.Prices = b.prices.Transcript(model, u)
	}
	if u.TranscriptionTokens > 0 {
		b.Tokens.Add(u.TranscriptionTokens, model, "transcription")
	}
	b.count(d, model, "transcription", simulated)
	return d
}

// Carrier bills the minutes of a call that has ended after d. direction is inbound or outbound, number the called one.
func (b *Bill) Carrier(direction, number string, d time.Duration, simulated bool) parley.UsageData {
	u := b.Running(direction, number, d, simulated)
	b.count(u, "carrier", "carrier", simulated)
	return u
}

// Running is the carrier's bill should the call end now. It is not counted.
func (b *Bill) Running(direction, number string, d time.Duration, simulated bool) parley.UsageData {
	u := parley.UsageData{Kind: parley.UsageCarrier, Usage: parley.Usage{CarrierMinutes: StartedMinutes(d)}}
	if !simulated {
		u.Cost, u.Prices = b.prices.Minutes(direction, number, u.Usage.CarrierMinutes)
	}
	return u
}

// StartedMinutes is how many minutes a carrier bills: every started one, and the first with the call's beginning.
func StartedMinutes(d time.Duration) int64 {
	return max(1, int64((d+time.Minute-1)/time.Minute))
}

func (b *Bill) count(d parley.UsageData, model, kind string, simulated bool) {
	switch {
	case simulated:
	case d.Prices == "":
		b.Unpriced.Add(1, model, kind)
	default:
		b.Cost.Add(d.Cost, model, kind)
	}
}
