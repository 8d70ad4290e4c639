package phone

import (
	"math"
	"strings"
	"unicode/utf8"

	"parley/internal/audio"
)

// Text to speech that nobody understands: 75 ms for each letter, as in unhurried speech.
const (
	samplesPerLetter = 75 * audio.BytesPerMs
	maxHum           = 60 * audio.Rate
)

// Hum returns speech-like µ-law audio as long as text would take: a buzz at 120 Hz through two formants that
// move with the letters and fall silent between words.
func Hum(text string) []byte {
	text = strings.Join(strings.Fields(text), " ")
	n := min(samplesPerLetter*utf8.RuneCountInString(text), maxHum)
	out := make([]int16, 0, n)
	for _, r := range text {
		first, second := 300+float64(r%7)*80, 900+float64(r%11)*130
		for i := 0; i < samplesPerLetter && len(out) < n; i++ {
			t := float64(len(out)) / audio.Rate
			envelope := math.Sin(math.Pi * float64(i) / samplesPerLetter)
			if r == ' ' {
				envelope = 0
			}
			buzz := 0.5 + 0.5*math.Sin(2*math.Pi*120*t)
			v := envelope * buzz * (math.Sin(2*math.Pi*first*t) + 0.5*math.Sin(2*math.Pi*second*t))
			out = append(out, int16(6000*v))
		}
	}
	return audio.EncodeULaw(out)
}
