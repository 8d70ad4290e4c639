package phone

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/record"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store/storetest"
)

// loudest returns the shift of b against a, in frames, at which their loudness agrees best, and how well (1 = the same).
func loudest(a, b []byte) (shift int, agreement float64) {
	level := func(ulaw []byte) (out []float64) {
		for i := 0; i+audio.FrameBytes <= len(ulaw); i += audio.FrameBytes {
			out = append(out, min(1, audio.RMSULaw(ulaw[i:i+audio.FrameBytes])/1000))
		}
		return out
	}
	la, lb := level(a), level(b)
	for d := -50; d <= 50; d++ {
		var same, all float64
		for i := range la {
			if j := i + d; j >= 0 && j < len(lb) {
				same += min(la[i], lb[j])
				all += max(la[i], lb[j])
			}
		}
		if all > 0 && same/all > agreement {
			shift, agreement = d, same/all
		}
	}
	return shift, agreement
}

// TestRecordingHoldsBothSidesAsHeard: the caller's channel is what the phone sent, the agent's what the phone played,
// also where an interruption cut it, and both lie in the same time. Where this machine was too busy to play in time, what
// the phone played says nothing, and another call is made.
func TestRecordingHoldsBothSidesAsHeard(t *testing.T) {
	t.Parallel()
	for tries := 3; ; tries-- {
		r, shift, agreement := recordCall(t)
		if agreement >= 0.9 && shift >= -5 && shift <= 5 {
			return
		}
		busy := r.Late > 40*time.Millisecond || len(r.Underruns) > 0
		if !busy || tries == 1 {
			t.Fatalf("the agent's channel is %d frames off what the phone played and agrees to %.2f; the phone was %v late, underruns %v", shift, agreement, r.Late, r.Underruns)
		}
	}
}

// recordCall makes a call that is recorded, checks what does not depend on time, and compares the agent's channel with
// what the phone played, as loudest does.
func recordCall(t *testing.T) (r *phone.Report, shift int, agreement float64) {
	t.Helper()
	folder := record.NewFolder(t.TempDir())
	h := newHouse(t, storetest.SQLite(t), houseOptions{recordings: folder, voice: func(v *parley.VoiceConfig) {
		v.Recording, v.RecordingNotice = true, "This call is recorded."
	}})
	long := strings.Repeat("this is a long answer that goes on and on ", 6)
	h.model.Script(model.Say(long), model.Say("Of course."))
	_, r = h.dial(phone.Options{
		Delay: phone.Delay{Up: 40 * time.Millisecond, Down: 40 * time.Millisecond},
		Program: []phone.Step{
			phone.Wait(4 * time.Second), phone.Say(question()), phone.Interrupt(2*time.Second, patience),
			phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
		}})
	healthy(t, r)
	if len(r.Notices) == 0 || r.Notices[0] != "This call is recorded." {
		t.Errorf("the caller was told %q", r.Notices)
	}
	conv, events := h.conversation()
	for _, typ := range []string{parley.EventRecordingStarted, parley.EventRecordingStopped} {
		if strings.Count(types(events), typ) != 1 {
			t.Errorf("log:\n%s", types(events))
		}
	}
	rec, err := folder.Open(h.org.ID, conv.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rec.Close() }()
	wav, err := io.ReadAll(rec)
	if err != nil {
		t.Fatal(err)
	}
	var caller, agent []byte
	for i := audio.ULawHeaderBytes; i+1 < len(wav); i += 2 {
		caller, agent = append(caller, wav[i]), append(agent, wav[i+1])
	}
	said := question()
	at := bytes.Index(caller, said)
	if second := bytes.LastIndex(caller, said); at < 0 || second == at {
		t.Errorf("the caller's words are not on the recording twice: at %d and %d of %d", at, second, len(caller))
	}
	// The phone's clock begins with its answer, the recording's with the first frame that arrived. The caller's first
	// turn is in both, so it ties them.
	offset := audio.Duration(at) - r.Turns[0].SaidAt
	heard := r.Heard
	if n := int(-offset.Milliseconds()) * audio.BytesPerMs; n > 0 {
		heard = heard[n:]
	}
	shift, agreement = loudest(heard, agent)
	return r, shift, agreement
}

func TestNoRecordingUnlessWanted(t *testing.T) {
	t.Parallel()
	folder := record.NewFolder(t.TempDir())
	h := newHouse(t, storetest.SQLite(t), houseOptions{recordings: folder, voice: func(v *parley.VoiceConfig) {
		v.RecordingNotice = "This call is recorded."
	}})
	_, r := h.dial(phone.Options{Program: []phone.Step{phone.Say(question()), phone.WaitForAgent(patience), phone.Hangup()}})
	if conv, _ := h.conversation(); folder.Exists(h.org.ID, conv.ID) || len(r.Notices) != 0 {
		t.Error("recorded, or announced")
	}
}
