// Gate-sounds makes the sounds of which the gate's labeled clips are mixed: people who interrupt, people who
// only listen aloud ("uh-huh"), and what is no speech at all. The result, internal/voice/testdata/gate, is committed:
//
//	apt-get install flite espeak-ng sox festival festvox-kdlpc16k && go run ./scripts/gate-sounds
//
// Speakers are Debian's voices of flite (Carnegie Mellon University, BSD-like), of espeak-ng (a formant
// synthesizer: its output holds no recording) and festival's ked (University of Edinburgh, X11-like). Voices made of
// recordings under the GPL are left out, because their output is made of these recordings. Coughs, doors and the like are synthesized here from seeds. Every sound is brought to the telephone's
// band (sox) and to one level. The part "held" has speakers, words of other languages and seeds that "tuned" does not
// have: nothing may be tuned on it. Run it from the repository's root.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"

	"parley/internal/audio"
)

const (
	dir   = "internal/voice/testdata/gate"
	level = 3277 // RMS of what is loud in a sound: −20 dBFS
)

// entry is one sound of sounds.json: where it lies in sounds.ulaw, and what it is.
type entry struct {
	Set     string `json:"set"`     // tuned, held
	Kind    string `json:"kind"`    // sentence, command, backchannel; cough, clap, …
	Speaker string `json:"speaker"` // a voice, or "seed N"
	Text    string `json:"text"`    // what a perfect transcription would say
	Offset  int    `json:"offset"`  // bytes
	Bytes   int    `json:"bytes"`
}

func main() {
	log.SetFlags(0)
	tmp, err := os.MkdirTemp("", "gate-sounds")
	check(err)
	defer func() { _ = os.RemoveAll(tmp) }()
	var index []entry
	var sound []byte
	add := func(e entry, pcm []int16) {
		pcm = leveled(pcm)
		e.Offset, e.Bytes = len(sound), len(pcm)
		sound = audio.AppendULaw(sound, pcm)
		index = append(index, e)
	}
	for _, s := range speakers {
		for _, u := range s.lines() {
			add(entry{Set: s.set, Kind: u.kind, Speaker: s.name, Text: u.text}, s.say(tmp, u))
		}
	}
	for _, part := range []struct {
		set  string
		from uint64
	}{{"tuned", 0}, {"tuned", 50_000}, {"held", 70_000}} {
		for i, n := range noises {
			for variant := range 4 {
				set, seed := part.set, part.from+uint64(100*i+variant)
				add(entry{Set: set, Kind: n.kind, Speaker: fmt.Sprintf("seed %d", seed)}, telephone(tmp, n.make(seed)))
			}
		}
	}
	raw, err := json.MarshalIndent(index, "", " ")
	check(err)
	check(os.MkdirAll(dir, 0o755))
	check(os.WriteFile(filepath.Join(dir, "sounds.json"), append(raw, '\n'), 0o644))
	check(os.WriteFile(filepath.Join(dir, "sounds.ulaw"), sound, 0o644))
	log.Printf("%d sounds, %d bytes", len(index), len(sound))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// telephone brings samples of 8 kHz to the telephone's band.
func telephone(tmp string, pcm []int16) []int16 {
	in := filepath.Join(tmp, "in.raw")
	b := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		b = append(b, byte(s), byte(uint16(s)>>8))
	}
	check(os.WriteFile(in, b, 0o644))
	return band("-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", in)
}

// band runs sox over an input and returns 8 kHz samples between 300 and 3400 Hz.
func band(input ...string) []int16 {
	args := append([]string{"-D", "-V1"}, input...)
	args = append(args, "-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-", "sinc", "-n", "255", "300-3400")
	raw, err := exec.Command("sox", args...).Output()
	check(err)
	out := make([]int16, len(raw)/2)
	for i := range out {
		out[i] = int16(uint16(raw[2*i]) | uint16(raw[2*i+1])<<8)
	}
	return out
}

// leveled cuts the silence at both ends and scales the loud frames to the one level.
func leveled(pcm []int16) []int16 {
	const frame = 80 // 10 ms
	peak := 0.0
	for i := 0; i+frame <= len(pcm); i += frame {
		peak = max(peak, audio.RMS(pcm[i:i+frame]))
	}
	loud := func(i int) bool { return audio.RMS(pcm[i:i+frame]) > peak/40 }
	from, to := 0, len(pcm)/frame*frame
	for from+frame < to && !loud(from) {
		from += frame
	}
	for to-frame > from && !loud(to-frame) {
		to -= frame
	}
	var sum float64
	n := 0
	for i := from; i+frame <= to; i += frame {
		if r := audio.RMS(pcm[i : i+frame]); r > peak/5 {
			sum, n = sum+r*r, n+1
		}
	}
	gain := level / math.Sqrt(sum/float64(max(n, 1)))
	out := make([]int16, to-from)
	for i := range out {
		out[i] = int16(max(-32000, min(32000, gain*float64(pcm[from+i]))))
	}
	return out
}
