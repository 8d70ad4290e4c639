// Speech-model regenerates the recorded clips of the simulated model from internal/sim/speech/lines.txt:
//
//	apt-get install flite && go run ./scripts/speech-model
//
// It needs Debian's flite 2.2, whose voice slt is free software (Carnegie Mellon University, BSD-like
// license without an advertising clause; see /usr/share/doc/flite/copyright). Run it from the repository's
// root; the result is committed.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"parley/internal/audio"
	"parley/internal/sim/speech"
)

const (
	dir   = "internal/sim/speech"
	level = 3277 // RMS: −20 dBFS
)

type recording struct {
	Text   string        `json:"text"`
	Offset int           `json:"offset"`
	Bytes  int           `json:"bytes"`
	Words  []speech.Word `json:"words"`
}

func main() {
	log.SetFlags(0)
	var index []recording
	var all []byte
	for _, line := range speech.Lines() {
		ulaw, words, err := record(line)
		if err != nil {
			log.Fatalf("%q: %v", line, err)
		}
		index = append(index, recording{Text: line, Offset: len(all), Bytes: len(ulaw), Words: words})
		all = append(all, ulaw...)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		log.Fatal(err)
	}
	raw = bytes.ReplaceAll(raw, []byte(`{"text":"`), []byte("\n{\"text\":\""))
	if err := os.WriteFile(filepath.Join(dir, "clips.json"), append(raw, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "clips.ulaw"), all, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d clips, %d bytes, %.1f s\n", len(index), len(all), float64(len(all))/8000)
}

// record lets flite speak a line and says when its words are heard.
func record(line string) ([]byte, []speech.Word, error) {
	tmp, err := os.CreateTemp("", "speech-*.wav")
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(tmp.Name())
	segments, err := flite("-psdur", "-t", line, "-o", tmp.Name())
	if err != nil {
		return nil, nil, err
	}
	wav, err := audio.ReadWAV(tmp)
	if err != nil {
		return nil, nil, err
	}
	pcm := audio.Resample(wav.Samples, wav.Rate, 8000)
	gain := level / audio.RMS(pcm)
	for i, s := range pcm {
		pcm[i] = int16(max(-31000, min(31000, math.Round(float64(s)*gain))))
	}
	words, err := align(line, segments)
	if n := len(pcm) / 8; err == nil && len(words) > 0 { // to whole milliseconds
		pcm = pcm[:n*8]
		words[len(words)-1].EndMs = min(words[len(words)-1].EndMs, n)
	}
	return audio.EncodeULaw(pcm), words, err
}

// align hands the sounds of the line to its words: each word gets as many as flite makes for it alone. When
// the sum differs (flite joins "the other" and the like), the words share the sounds in proportion.
func align(line, segments string) ([]speech.Word, error) {
	type segment struct{ start, end float64 }
	var sounds []segment
	at := 0.0
	for _, f := range strings.Fields(segments) {
		name, end, ok := strings.Cut(f, ":")
		t, err := strconv.ParseFloat(end, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("flite printed %q", f)
		}
		if name != "pau" {
			sounds = append(sounds, segment{at, t})
		}
		at = t
	}
	tokens := strings.Fields(line)
	counts, total := make([]int, len(tokens)), 0
	for i, w := range tokens {
		alone, err := flite("-ps", "-t", strings.Trim(w, ".,:;?!"), "-o", "none")
		if err != nil {
			return nil, err
		}
		for _, f := range strings.Fields(alone) {
			if f != "pau" {
				counts[i]++
			}
		}
		total += counts[i]
	}
	if len(sounds) == 0 || total == 0 {
		return nil, fmt.Errorf("no sounds")
	}
	var words []speech.Word
	done := 0
	for i, w := range tokens {
		first := done * len(sounds) / total
		done += counts[i]
		last := max(first, done*len(sounds)/total-1)
		words = append(words, speech.Word{Text: w, StartMs: int(sounds[first].start * 1000), EndMs: int(sounds[last].end * 1000)})
	}
	return words, nil
}

func flite(args ...string) (string, error) {
	out, err := exec.Command("flite", append([]string{"-voice", "slt"}, args...)...).Output()
	return string(out), err
}
