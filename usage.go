package parley

// Usage counts what a model billed. Cached counts are subsets of the input counts.
type Usage struct {
	InputTextTokens      int64   `json:"inputTextTokens" doc:"Text that the model read." example:"412"`
	InputAudioTokens     int64   `json:"inputAudioTokens" doc:"Sound that the model heard."`
	CachedTextTokens     int64   `json:"cachedTextTokens" doc:"The part of inputTextTokens that was billed as cached."`
	CachedAudioTokens    int64   `json:"cachedAudioTokens" doc:"The part of inputAudioTokens that was billed as cached."`
	OutputTextTokens     int64   `json:"outputTextTokens" doc:"Text that the model wrote." example:"58"`
	OutputAudioTokens    int64   `json:"outputAudioTokens" doc:"Sound that the model made."`
	TranscriptionTokens  int64   `json:"transcriptionTokens" doc:"Tokens of the transcription of what people said."`
	TranscriptionSeconds float64 `json:"transcriptionSeconds" doc:"Seconds of sound that were transcribed, where the provider bills by time."`
	InputTokens          int64   `json:"inputTokens" doc:"All input tokens, as the provider totals them." example:"412"`
	OutputTokens         int64   `json:"outputTokens" doc:"All output tokens." example:"58"`
	TotalTokens          int64   `json:"totalTokens" doc:"Input and output." example:"470"`
}

// Add returns the member-wise sum.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		InputTextTokens:      u.InputTextTokens + v.InputTextTokens,
		InputAudioTokens:     u.InputAudioTokens + v.InputAudioTokens,
		CachedTextTokens:     u.CachedTextTokens + v.CachedTextTokens,
		CachedAudioTokens:    u.CachedAudioTokens + v.CachedAudioTokens,
		OutputTextTokens:     u.OutputTextTokens + v.OutputTextTokens,
		OutputAudioTokens:    u.OutputAudioTokens + v.OutputAudioTokens,
		TranscriptionTokens:  u.TranscriptionTokens + v.TranscriptionTokens,
		TranscriptionSeconds: u.TranscriptionSeconds + v.TranscriptionSeconds,
		InputTokens:          u.InputTokens + v.InputTokens,
		OutputTokens:         u.OutputTokens + v.OutputTokens,
		TotalTokens:          u.TotalTokens + v.TotalTokens,
	}
}

// PriceVersion names the price table; it is stored with each cost.
const PriceVersion = "2026-11"

// price is US dollars per million tokens, which equals micro-dollars per token.
type price struct{ text, cachedText, outText, audio, cachedAudio, outAudio float64 }

// prices are the published prices of the models whose price we know. A model that is not here costs 0 and
// carries no price version, which says "unknown", not "free".
var prices = map[string]price{
	"gpt-realtime-2.1":        {4, 0.40, 24, 32, 0.40, 64},
	"gpt-realtime-2.1-mini":   {0.60, 0.06, 2.40, 10, 0.30, 20},
	"gpt-realtime":            {4, 0.40, 16, 32, 0.40, 64},
	"gpt-realtime-2025-08-28": {4, 0.40, 16, 32, 0.40, 64},
	"gpt-4o":                  {2.50, 1.25, 10, 0, 0, 0},
	"gpt-4o-mini":             {0.15, 0.075, 0.60, 0, 0, 0},
	"gpt-4-turbo":             {10, 10, 30, 0, 0, 0},
	"gpt-4":                   {30, 30, 60, 0, 0, 0},
	"gpt-3.5-turbo":           {0.50, 0.50, 1.50, 0, 0, 0},
}

// Cost returns the price of a usage in micro-dollars, rounded to the nearest, and the version of the price
// table; 0 and "" when the model has no known price.
func Cost(model string, u Usage) (microDollars int64, version string) {
	p, ok := prices[model]
	if !ok {
		return 0, ""
	}
	sum := float64(u.InputTextTokens-u.CachedTextTokens)*p.text +
		float64(u.CachedTextTokens)*p.cachedText +
		float64(u.InputAudioTokens-u.CachedAudioTokens)*p.audio +
		float64(u.CachedAudioTokens)*p.cachedAudio +
		float64(u.OutputTextTokens)*p.outText +
		float64(u.OutputAudioTokens)*p.outAudio
	return int64(sum + 0.5), PriceVersion
}
