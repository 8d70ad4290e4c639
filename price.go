package parley

import (
	"math"
	"strings"
)

// PriceVersion names the built-in price table; the version of the table in use is stored with each cost.
const PriceVersion = "2026-11"

// ModelPrice is what a model costs, in US dollars per million tokens, which equals micro-dollars per token.
type ModelPrice struct {
	TextInput        float64 `json:"textInput"`
	CachedTextInput  float64 `json:"cachedTextInput"`
	TextOutput       float64 `json:"textOutput"`
	AudioInput       float64 `json:"audioInput"`
	CachedAudioInput float64 `json:"cachedAudioInput"`
	AudioOutput      float64 `json:"audioOutput"`
}

// TranscriptionPrice is what a transcription model costs: US dollars per million tokens, and per minute of
// sound. A provider bills by one of the two.
type TranscriptionPrice struct {
	TextInput  float64 `json:"textInput"`
	AudioInput float64 `json:"audioInput"`
	TextOutput float64 `json:"textOutput"`
	PerMinute  float64 `json:"perMinute"`
}

// CarrierPrice is what the carrier costs, in US dollars per started minute: by the longest prefix that the
// called number begins with, "*" for all others; and for the media stream, which every call has.
type CarrierPrice struct {
	Inbound         map[string]float64 `json:"inbound"`
	Outbound        map[string]float64 `json:"outbound"`
	StreamPerMinute float64            `json:"streamPerMinute"`
}

// Prices is a price table. What it does not name has no known price: it costs 0 and carries no version, which
// says "unknown", not "free". It must not be changed once it is in use; then it is safe for concurrent use.
type Prices struct {
	Version       string                        `json:"version"`
	Models        map[string]ModelPrice         `json:"models"`
	Transcription map[string]TranscriptionPrice `json:"transcription"`
	Carrier       CarrierPrice                  `json:"carrier"`
}

// BuiltinPrices returns a fresh copy of the published list prices of OpenAI and Twilio at PriceVersion. The
// carrier's are those of numbers in the United States and Canada.
func BuiltinPrices() Prices {
	realtime := ModelPrice{TextInput: 4, CachedTextInput: 0.40, TextOutput: 16, AudioInput: 32, CachedAudioInput: 0.40, AudioOutput: 64}
	newer := realtime
	newer.TextOutput = 24
	inbound := map[string]float64{"+1": 0.0085, "client:": 0.004}
	for _, tollFree := range []string{"+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888"} {
		inbound[tollFree] = 0.022
	}
	return Prices{
		Version: PriceVersion,
		Models: map[string]ModelPrice{
			"gpt-realtime-2.1":        newer,
			"gpt-realtime-2.1-mini":   {TextInput: 0.60, CachedTextInput: 0.06, TextOutput: 2.40, AudioInput: 10, CachedAudioInput: 0.30, AudioOutput: 20},
			"gpt-realtime":            realtime,
			"gpt-realtime-2025-08-28": realtime,
			"gpt-4o":                  {TextInput: 2.50, CachedTextInput: 1.25, TextOutput: 10},
			"gpt-4o-mini":             {TextInput: 0.15, CachedTextInput: 0.075, TextOutput: 0.60},
			"gpt-4-turbo":             {TextInput: 10, CachedTextInput: 10, TextOutput: 30},
			"gpt-4":                   {TextInput: 30, CachedTextInput: 30, TextOutput: 60},
			"gpt-3.5-turbo":           {TextInput: 0.50, CachedTextInput: 0.50, TextOutput: 1.50},
		},
		Transcription: map[string]TranscriptionPrice{
			"gpt-4o-mini-transcribe": {TextInput: 1.25, AudioInput: 3, TextOutput: 5},
			"gpt-4o-transcribe":      {TextInput: 2.50, AudioInput: 6, TextOutput: 10},
			"whisper-1":              {PerMinute: 0.006},
		},
		Carrier: CarrierPrice{Inbound: inbound, Outbound: map[string]float64{"+1": 0.014, "client:": 0.004}, StreamPerMinute: 0.004},
	}
}

// Response returns the price of a model's answer in micro-dollars, rounded to the nearest, and the version of
// the table; 0 and "" when the model has no known price.
func (p *Prices) Response(model string, u Usage) (microDollars int64, version string) {
	m, ok := p.Models[model]
	if !ok {
		return 0, ""
	}
	return round(float64(u.InputTextTokens-u.CachedTextTokens)*m.TextInput +
		float64(u.CachedTextTokens)*m.CachedTextInput +
		float64(u.InputAudioTokens-u.CachedAudioTokens)*m.AudioInput +
		float64(u.CachedAudioTokens)*m.CachedAudioInput +
		float64(u.OutputTextTokens)*m.TextOutput +
		float64(u.OutputAudioTokens)*m.AudioOutput), p.Version
}

// Transcript returns the price of a transcription, as Response does. Tokens of an unnamed kind count as sound.
func (p *Prices) Transcript(model string, u Usage) (microDollars int64, version string) {
	m, ok := p.Transcription[model]
	if !ok {
		return 0, ""
	}
	sound := max(0, u.TranscriptionTokens-u.TranscriptionText-u.TranscriptionOutput)
	return round(float64(u.TranscriptionText)*m.TextInput + float64(sound)*m.AudioInput +
		float64(u.TranscriptionOutput)*m.TextOutput + u.TranscriptionSeconds/60*m.PerMinute*microPerDollar), p.Version
}

// Minutes returns the price of a call's minutes, as Response does. direction is inbound or outbound, number the
// called one.
func (p *Prices) Minutes(direction, number string, minutes int64) (microDollars int64, version string) {
	list := p.Carrier.Inbound
	if direction == "outbound" {
		list = p.Carrier.Outbound
	}
	price, known := list["*"]
	longest := 0
	for prefix, perMinute := range list {
		if strings.HasPrefix(number, prefix) && len(prefix) > longest {
			price, known, longest = perMinute, true, len(prefix)
		}
	}
	if !known {
		return 0, ""
	}
	return round(float64(minutes) * (price + p.Carrier.StreamPerMinute) * microPerDollar), p.Version
}

const microPerDollar = 1e6

func round(f float64) int64 { return int64(math.Round(f)) }
