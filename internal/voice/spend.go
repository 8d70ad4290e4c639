package voice

import (
	"parley"
	"parley/internal/openai"
)

// billResponse puts the bill of a response on record.
func (s *Session) billResponse(responseID string, u *parley.Usage) {
	if u != nil {
		s.spend(s.cfg.Bill.Response(s.cfg.Agent.Model, responseID, *u, s.cfg.SimulatedModel))
	}
}

// billTranscript puts the bill of a transcription on record.
func (s *Session) billTranscript(u *parley.Usage) {
	if u != nil {
		s.spend(s.cfg.Bill.Transcription(openai.TranscriptionModel, *u, s.cfg.SimulatedModel))
	}
}

func (s *Session) spend(d parley.UsageData) {
	s.rec.Fact(parley.EventUsage, d)
	s.budget.spent += d.Cost
}
