package phone

import (
	"bytes"
	"slices"
	"testing"

	"parley/internal/audio"
)

// names of the marks.
func names(marks []pendingMark) (out []string) {
	for _, m := range marks {
		out = append(out, m.name)
	}
	return out
}

func voiced(n int) []byte { return bytes.Repeat([]byte{0x10}, n) }

func TestPlayoutPlaysAtOnceSpeedAndEchoesMarksAfterTheirAudio(t *testing.T) {
	t.Parallel()
	var p playout
	frame := make([]byte, audio.FrameBytes)
	if !p.mark("early", 0) {
		t.Error("a mark without audio before it must be echoed at once")
	}
	p.push(voiced(400)) // two and a half frames
	if p.mark("end", 1) {
		t.Error("a mark behind audio must wait")
	}
	for i, want := range []struct {
		n     int
		marks []string
	}{{160, nil}, {160, nil}, {80, nil}, {0, []string{"end"}}, {0, nil}} {
		n, reached := p.tick(frame)
		if n != want.n || !slices.Equal(names(reached), want.marks) {
			t.Errorf("tick %d: %d bytes, marks %v, want %d, %v", i, n, names(reached), want.n, want.marks)
		}
		if !bytes.Equal(frame[:n], voiced(n)) || !bytes.Equal(frame[n:], silence[n:]) {
			t.Errorf("tick %d: frame is not %d bytes of audio and then silence", i, n)
		}
	}
	if !p.mark("late", 2) {
		t.Error("a mark after everything was played must be echoed at once")
	}
}

func TestPlayoutMarkWaitsForTheFrameThatIsPlaying(t *testing.T) {
	t.Parallel()
	var p playout
	frame := make([]byte, audio.FrameBytes)
	p.push(voiced(160))
	p.tick(frame)
	if p.mark("m", 0) {
		t.Fatal("the frame before the mark is still being played")
	}
	if _, reached := p.tick(frame); len(reached) != 1 {
		t.Error("the mark was not echoed when the frame ended")
	}
}

func TestPlayoutClearDropsAudioAndEchoesAllMarks(t *testing.T) {
	t.Parallel()
	var p playout
	frame := make([]byte, audio.FrameBytes)
	p.push(voiced(800))
	p.mark("a", 0)
	p.push(voiced(800))
	p.mark("b", 1)
	p.tick(frame)
	dropped, marks := p.clear()
	if dropped != 1600-160 || !slices.Equal(names(marks), []string{"a", "b"}) {
		t.Errorf("dropped %d bytes, marks %v", dropped, names(marks))
	}
	if n, reached := p.tick(frame); n != 0 || len(reached) != 0 {
		t.Errorf("after clear: %d bytes, marks %v", n, names(reached))
	}
	p.push(voiced(160))
	if p.mark("c", 2) {
		t.Error("positions are wrong after clear: the mark does not wait")
	}
	p.tick(frame)
	if _, reached := p.tick(frame); !slices.Equal(names(reached), []string{"c"}) {
		t.Errorf("after clear, marks %v, want c", names(reached))
	}
}

func TestPlayoutIsBounded(t *testing.T) {
	t.Parallel()
	var p playout
	chunk := voiced(maxBuffered / 4)
	for i := range 4 {
		if !p.push(chunk) {
			t.Fatalf("push %d refused", i)
		}
	}
	if p.push([]byte{1}) {
		t.Error("more than the bound was taken")
	}
}
