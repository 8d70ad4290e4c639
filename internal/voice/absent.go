package voice

import "parley/internal/leg"

// absent stands in for the model's leg while there is none: what would be sent is remembered elsewhere and replayed to
// the next one.
type absent struct{}

func (absent) Events() <-chan leg.ModelEvent                         { return nil }
func (absent) Err() error                                            { return nil }
func (absent) Configure(leg.SessionConfig) (string, error)           { return "", nil }
func (absent) AddItem(leg.HistoryItem) error                         { return nil }
func (absent) AppendAudio([]byte) error                              { return nil }
func (absent) CreateResponse(leg.Ask) (string, error)                { return "", nil }
func (absent) CancelResponse(string) (string, error)                 { return "", nil }
func (absent) Truncate(string, int, int64) (eventID string, _ error) { return "", nil }
func (absent) DeleteItem(string) (string, error)                     { return "", nil }
func (absent) SendToolResult(string, string) error                   { return nil }
func (absent) Probe() error                                          { return nil }
func (absent) Close()                                                {}
func (absent) Wait()                                                 {}
