package parley

// Usage counts what a model, a transcription or the carrier billed. Cached counts are subsets of the input counts.
type Usage struct {
	InputTextTokens      int64   `json:"inputTextTokens" doc:"Text that the model read." example:"412"`
	InputAudioTokens     int64   `json:"inputAudioTokens" doc:"Sound that the model heard."`
	CachedTextTokens     int64   `json:"cachedTextTokens" doc:"The part of inputTextTokens that was billed as cached."`
	CachedAudioTokens    int64   `json:"cachedAudioTokens" doc:"The part of inputAudioTokens that was billed as cached."`
	OutputTextTokens     int64   `json:"outputTextTokens" doc:"Text that the model wrote." example:"58"`
	OutputAudioTokens    int64   `json:"outputAudioTokens" doc:"Sound that the model made."`
	TranscriptionTokens  int64   `json:"transcriptionTokens" doc:"Tokens of the transcription of what people said."`
	TranscriptionText    int64   `json:"transcriptionTextTokens" doc:"The part of transcriptionTokens that was text given to the transcription."`
	TranscriptionOutput  int64   `json:"transcriptionOutputTokens" doc:"The part of transcriptionTokens that was written; the rest was sound."`
	TranscriptionSeconds float64 `json:"transcriptionSeconds" doc:"Seconds of sound that were transcribed, where the provider bills by time."`
	InputTokens          int64   `json:"inputTokens" doc:"All input tokens, as the provider totals them." example:"412"`
	OutputTokens         int64   `json:"outputTokens" doc:"All output tokens." example:"58"`
	TotalTokens          int64   `json:"totalTokens" doc:"Input and output." example:"470"`
	CarrierMinutes       int64   `json:"carrierMinutes" doc:"Minutes that the carrier bills for the call: every started one counts. Known when the call has ended."`
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
		TranscriptionText:    u.TranscriptionText + v.TranscriptionText,
		TranscriptionOutput:  u.TranscriptionOutput + v.TranscriptionOutput,
		TranscriptionSeconds: u.TranscriptionSeconds + v.TranscriptionSeconds,
		InputTokens:          u.InputTokens + v.InputTokens,
		OutputTokens:         u.OutputTokens + v.OutputTokens,
		TotalTokens:          u.TotalTokens + v.TotalTokens,
		CarrierMinutes:       u.CarrierMinutes + v.CarrierMinutes,
	}
}
