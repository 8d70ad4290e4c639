package voice

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"parley/internal/audio"
)

// The labeled clips of the gate are mixed here, always the same way, from the sounds that scripts/gate-sounds made.
// The set "held" has other speakers, languages, lines, noises and backgrounds than "tuned". The gate's constants were
// chosen on "tuned"; "held" is only measured. Whoever tunes again moves "held" to "tuned" and makes new held sounds.

// sample is one sound of testdata/gate.
type sample struct {
	Set, Kind, Speaker, Text string
	Offset, Bytes            int
	pcm                      []int16
}

var samples = sync.OnceValue(func() []sample {
	index, err1 := os.ReadFile("testdata/gate/sounds.json")
	ulaw, err2 := os.ReadFile("testdata/gate/sounds.ulaw")
	var all []sample
	if err3 := json.Unmarshal(index, &all); err1 != nil || err2 != nil || err3 != nil {
		panic(fmt.Sprint("gate sounds: ", err1, err2, err3))
	}
	for i := range all {
		all[i].pcm = audio.DecodeULaw(ulaw[all[i].Offset : all[i].Offset+all[i].Bytes])
	}
	return all
})

func samplesOf(set, kind string) (out []sample) {
	for _, s := range samples() {
		if s.Set == set && s.Kind == kind {
			out = append(out, s)
		}
	}
	return out
}

// clip is one labeled call: the caller says a turn, the agent answers at length, and into the answer something
// sounds. The far end's timeline starts with the call.
type clip struct {
	set, kind string
	real      bool   // the agent has to stop
	text      string // the transcript of what sounds
	name      string

	caller    []float64 // turn, sound and background, linear
	soundAt   int       // ms
	soundMs   int
	turnText  string
	echoDB    float64 // of the agent's voice in the caller's microphone; 0 = none
	echoMs    int
	bedLevel  float64
	streaming bool // the answer is still being generated when the sound comes
}

// agentWords is what the agent says in the clips.
const agentWords = "I have a table for two at seven o'clock tomorrow evening. It is in the quiet room by the window. Parking is behind the house."

const turnAt = 700 // ms of background before the caller's turn

// dB turns decibels into a factor.
func dB(db float64) float64 { return math.Pow(10, db/20) }

// mix lays a sound of the one level (−20 dBFS) down at ms, at a level in dBFS.
func (c *clip) mix(pcm []int16, ms int, level float64) {
	gain, at := dB(level+20), ms*bytesPerMs
	for i, s := range pcm {
		if at+i < len(c.caller) {
			c.caller[at+i] += gain * float64(s)
		}
	}
}

// place is where a caller is: how loud he speaks and what is around him.
type place struct {
	level, snr float64
	bed        string
	echoDB     float64
	echoMs     int
}

// places go from a good line to a bad one. Their echo is below what the model's voice detection hears: above it, an
// energy detector hears speech without end, and no words come of it. The clips of echo alone have up to −12 dB.
var places = []place{
	{-20, 42, "quiet", 0, 0}, {-24, 25, "pink", 0, 0}, {-18, 22, "street", -30, 120}, {-33, 32, "quiet", 0, 0},
	{-22, 30, "hum", -34, 60}, {-26, 20, "babble", 0, 0}, {-16, 30, "pink", -28, 240}, {-38, 28, "quiet", 0, 0},
	{-20, 20, "office", 0, 0}, {-24, 18, "street", 0, 0}, {-28, 26, "pink", -36, 380}, {-20, 24, "tv", 0, 0},
}

// corpus makes the clips of a set.
func corpus(set string) (out []*clip) {
	n := 0
	add := func(kind string, real bool, s sample, p place) {
		n++
		turns := samplesOf(set, "sentence")
		turn := turns[(n*7)%len(turns)]
		for _, t := range turns { // the same speaker, if he has a voice
			if t.Speaker == s.Speaker {
				turn = t
			}
		}
		c := &clip{
			set: set, kind: kind, real: real, text: s.Text, turnText: turn.Text, streaming: n%2 == 0,
			name: fmt.Sprintf("%s: %s %q in %s at %.0f dBFS", kind, s.Speaker, s.Text, p.bed, p.level), echoDB: p.echoDB, echoMs: p.echoMs,
			bedLevel: p.level - p.snr,
		}
		c.soundAt = turnAt + len(turn.pcm)/bytesPerMs + 1500 + 900 + (n*370)%1700
		c.soundMs = len(s.pcm) / bytesPerMs
		c.caller = make([]float64, (c.soundAt+max(c.soundMs, 800)+2600)*bytesPerMs)
		c.background(set, p, uint64(n))
		c.mix(turn.pcm, turnAt, p.level)
		if len(s.pcm) > 0 {
			level := p.level
			if s.Text == "" {
				level = -16 - float64((n*5)%18) // a sound is as loud as it is, whoever speaks
			}
			c.mix(s.pcm, c.soundAt, level)
		}
		out = append(out, c)
	}
	at := func() place { return places[(n*5+n/12)%len(places)] }
	for range 2 {
		for _, s := range samplesOf(set, "sentence") {
			add("sentence", true, s, at())
		}
	}
	for _, s := range samplesOf(set, "command") {
		add("command", true, s, at())
	}
	for _, s := range samplesOf(set, "backchannel") {
		add("backchannel", false, s, at())
	}
	for _, kind := range []string{"cough", "throat", "sneeze", "clap", "door", "breath", "keys", "clink", "laugh", "bark"} {
		for _, s := range samplesOf(set, kind) {
			add(kind, false, s, at())
		}
	}
	for i := range 16 {
		p := place{-22, 38, "quiet", -12 - float64(i%4)*6, 50 + (i/4)*110}
		add("echo", false, sample{Text: agentWords[:22]}, p)
	}
	for _, bed := range []string{"pink", "hum", "street", "babble", "office", "tv", "rising"} {
		for j := range 4 {
			add("background "+bed, false, sample{}, place{-20, 16 + float64(j)*3, bed, 0, 0})
		}
	}
	return out
}

// background lays the sound of the place under the whole clip.
func (c *clip) background(set string, p place, seed uint64) {
	if set == "held" {
		seed += 190_000
	}
	random := rand.New(rand.NewPCG(seed, 3))
	bed := make([]float64, len(c.caller))
	switch p.bed {
	case "tv": // a person who is not the caller talks all the time
		c.chatter(bed, set, random, 1, p)
	case "babble":
		c.chatter(bed, set, random, 5, p)
	case "office": // keys
		for at := 0; at < len(bed); at += 6000 + random.IntN(16000) {
			for i := range 200 {
				if at+i < len(bed) {
					bed[at+i] += random.NormFloat64() * math.Exp(-float64(i)/30)
				}
			}
		}
		scale(bed, p.level-p.snr+6)
	case "hum":
		for i := range bed {
			t := 2 * math.Pi * 50 * float64(i) / audio.Rate
			bed[i] = math.Sin(6*t) + 0.6*math.Sin(8*t+1) + 0.4*math.Sin(14*t+2) + 0.1*random.NormFloat64()
		}
		scale(bed, p.level-p.snr)
	default:
		pink(bed, random)
		if p.bed == "street" { // cars come and go
			for i := range bed {
				bed[i] *= 1 + 0.9*math.Sin(2*math.Pi*float64(i)/audio.Rate*0.23+float64(seed))
			}
		}
		scale(bed, p.level-p.snr)
		if p.bed == "rising" {
			for i := range bed {
				bed[i] *= dB(-14 + 18*float64(i)/float64(len(bed)))
			}
		}
	}
	for i, s := range bed {
		c.caller[i] += s + 9*random.NormFloat64() // and the line's own noise, at −71 dBFS
	}
}

// chatter fills a bed with n speakers of the set who talk without end.
func (c *clip) chatter(bed []float64, set string, random *rand.Rand, n int, p place) {
	said := samplesOf(set, "sentence")
	for range n {
		for at := random.IntN(4000); at < len(bed); {
			s := said[random.IntN(len(said))]
			for i, v := range s.pcm {
				if at+i < len(bed) {
					bed[at+i] += float64(v)
				}
			}
			at += len(s.pcm) + random.IntN(3200)
		}
	}
	scale(bed, p.level-p.snr)
}

// pink is noise that falls by 3 dB an octave, by Paul Kellet's filter.
func pink(bed []float64, random *rand.Rand) {
	var a, b, c float64
	for i := range bed {
		w := random.NormFloat64()
		a = 0.99765*a + w*0.0990460
		b = 0.96300*b + w*0.2965164
		c = 0.57000*c + w*1.0526913
		bed[i] = a + b + c + w*0.1848
	}
}

// scale brings a bed's RMS to a level in dBFS.
func scale(bed []float64, level float64) {
	var sum float64
	for _, s := range bed {
		sum += s * s
	}
	gain := 32768 * dB(level) / math.Sqrt(sum/float64(len(bed))+1e-9)
	for i := range bed {
		bed[i] *= gain
	}
}

// TestCorpus: the clips are as many and as labeled as promised, and the sets share no speaker and no line.
func TestCorpus(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	speakers := map[string]string{}
	for _, s := range samples() {
		if of, ok := speakers[s.Speaker]; ok && of != s.Set {
			t.Errorf("%s is in both sets", s.Speaker)
		}
		speakers[s.Speaker] = s.Set
	}
	for _, set := range []string{"tuned", "held"} {
		clips := corpus(set)
		reals := 0
		for _, c := range clips {
			if c.real {
				reals++
			}
		}
		if len(clips) < 180 || reals < 70 || len(clips)-reals < 80 {
			t.Errorf("%s: %d clips, %d of them interruptions", set, len(clips), reals)
		}
	}
}
