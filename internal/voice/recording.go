package voice

import (
	"log/slog"

	"parley"
	"parley/internal/call"
	"parley/internal/record"
)

// beginRecording starts the part of a call's recording that belongs to this stream; nil when there shall be none. A
// disk that fails is on record, and the call goes on.
func (h *Host) beginRecording(a *call.Attachment, rec Recorder, logger *slog.Logger) *record.Writer {
	if h.opt.Recordings == nil || a.Agent.Voice == nil || !a.Agent.Voice.Recording {
		return nil
	}
	failed := func(err error) {
		logger.Error("call is not recorded any more", slog.Any("error", err))
		rec.Fact(parley.EventError, parley.ErrorData{
			Where: "recording", Type: "failed", Message: "The call is not recorded any more: the server could not write to its disk.",
		})
	}
	w, err := h.opt.Recordings.Create(a.Call.OrgID, a.Call.ID, a.Epoch, failed)
	if err != nil {
		failed(err)
		return nil
	}
	rec.Fact(parley.EventRecordingStarted, parley.RecordingData{})
	return w
}

// endRecording closes the part, on record.
func endRecording(rec Recorder, w *record.Writer) {
	if w == nil {
		return
	}
	length, lost := w.Close()
	rec.Fact(parley.EventRecordingStopped, parley.RecordingData{Ms: length.Milliseconds(), LostMs: lost.Milliseconds()})
}
