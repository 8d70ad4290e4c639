package speech

import (
	"bytes"
	"strings"
	"testing"

	"parley/internal/audio"
)

var texts = append(Lines(), "The tool answered: 14:05 in Helsinki.", "Completely new words, never recorded before!", "a", "?!", "Ääni ja 漢字")

func TestClips(t *testing.T) {
	t.Parallel()
	for _, text := range texts {
		c := Say(text)
		words := strings.Fields(text)
		if len(c.Words) != len(words) {
			t.Errorf("%q has %d timed words, want %d", text, len(c.Words), len(words))
			continue
		}
		for i, w := range c.Words {
			if w.Text != words[i] || w.EndMs <= w.StartMs || w.EndMs > c.Ms() || i > 0 && w.StartMs < c.Words[i-1].EndMs {
				t.Errorf("%q: word %d is %+v", text, i, w)
			}
		}
		if n := len(words); n > 5 {
			if perMinute := n * 60_000 / c.Ms(); perMinute < 90 || perMinute > 260 {
				t.Errorf("%q: %d words a minute", text, perMinute)
			}
		}
		pcm := audio.DecodeULaw(c.ULaw)
		rms := audio.RMS(pcm)
		if rms < 1800 || rms > 5900 { // −25…−15 dBFS
			t.Errorf("%q: RMS %.0f", text, rms)
		}
		for _, s := range pcm {
			if s > 32000 || s < -32000 {
				t.Errorf("%q clips", text)
				break
			}
		}
	}
}

func TestSayIsDeterministic(t *testing.T) {
	t.Parallel()
	const text = "Two voices, one clip."
	if !bytes.Equal(synthesize(text).ULaw, synthesize(text).ULaw) {
		t.Error("the same text sounds different")
	}
	if !bytes.Equal(Say(" Two  voices, one clip. ").ULaw, Say(text).ULaw) {
		t.Error("spaces change the clip")
	}
}

func TestSayNothing(t *testing.T) {
	t.Parallel()
	if c := Say("  "); len(c.ULaw) != 0 || len(c.Words) != 0 {
		t.Errorf("silence is %d bytes", len(c.ULaw))
	}
}

func TestRecordedBeginning(t *testing.T) {
	t.Parallel()
	head, whole := Say("The tool answered:"), Say("The tool answered: something")
	if !bytes.HasPrefix(whole.ULaw, head.ULaw) || whole.Ms() <= head.Ms() {
		t.Error("a recorded beginning is not used")
	}
}

func FuzzSay(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 300 {
			return
		}
		c := Say(text)
		if strings.TrimSpace(text) != "" && len(c.Words) != len(strings.Fields(text)) {
			t.Errorf("%q: %d words", text, len(c.Words))
		}
	})
}

func BenchmarkSynthesize(b *testing.B) {
	for b.Loop() {
		synthesize("One second of speech, more or less.")
	}
}

func TestSayAt(t *testing.T) {
	t.Parallel()
	plain := Say(Lines()[0])
	for _, speed := range []float64{0.25, 0.5, 1.2, 1.5} {
		c := SayAt(Lines()[0], speed)
		if got, want := c.Ms(), int(float64(plain.Ms())/speed); got < want-1 || got > want+1 {
			t.Errorf("speed %v: %d ms, want %d", speed, got, want)
		}
		if last := c.Words[len(c.Words)-1]; last.EndMs > c.Ms() {
			t.Errorf("speed %v: the last word ends after the clip: %+v", speed, last)
		}
		// Overlap that cancels, or gaps between frames, would cost energy.
		if got, want := audio.RMSULaw(c.ULaw), audio.RMSULaw(plain.ULaw); got < 0.8*want || got > 1.2*want {
			t.Errorf("speed %v: RMS %.0f, plain %.0f", speed, got, want)
		}
	}
	if !bytes.Equal(SayAt("x y", 1).ULaw, Say("x y").ULaw) || !bytes.Equal(SayAt("x y", 0).ULaw, Say("x y").ULaw) {
		t.Error("speed 1 changes the clip")
	}
}
