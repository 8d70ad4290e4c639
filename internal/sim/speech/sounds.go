package speech

// sound is one segment of the synthesizer.
type sound struct {
	formants [3]float64 // Hz
	ms       int
	voiced   bool
	hiss     float64 // share of noise in the source
	gain     float64
	closure  int // ms of silence before a stop's burst
}

func vowel(f1, f2, f3 float64, ms int) sound {
	return sound{formants: [3]float64{f1, f2, f3}, ms: ms, voiced: true, gain: 1}
}
func sonorant(f1, f2, f3 float64) sound {
	return sound{formants: [3]float64{f1, f2, f3}, ms: 60, voiced: true, gain: 0.6}
}
func fricative(f2 float64, voiced bool, gain float64) sound {
	return sound{formants: [3]float64{400, f2, 3400}, ms: 75, voiced: voiced, hiss: 4, gain: gain}
}
func stop(f2 float64, voiced bool) sound {
	return sound{formants: [3]float64{300, f2, 2800}, ms: 28, voiced: voiced, hiss: 3, gain: 0.5, closure: 32}
}

// The formants are textbook averages of a male voice (Peterson and Barney, 1952), rounded.
var letters = map[rune]sound{
	'a': vowel(660, 1720, 2410, 95), 'e': vowel(530, 1840, 2480, 80), 'i': vowel(390, 1990, 2550, 75),
	'o': vowel(570, 840, 2410, 95), 'u': vowel(440, 1020, 2240, 85), 'y': vowel(270, 2290, 3010, 70),
	'l': sonorant(360, 1300, 2700), 'm': sonorant(250, 1000, 2200), 'n': sonorant(250, 1500, 2400),
	'r': sonorant(420, 1300, 1600), 'w': sonorant(300, 700, 2200),
	'f': fricative(1400, false, 0.25), 's': fricative(3300, false, 0.35), 'v': fricative(1300, true, 0.35),
	'z': fricative(3200, true, 0.4), 'h': fricative(1500, false, 0.2), 'x': fricative(3000, false, 0.35),
	'j': fricative(2200, true, 0.4), 'b': stop(900, true), 'd': stop(1700, true), 'g': stop(1900, true),
	'p': stop(1000, false), 't': stop(2600, false), 'k': stop(2000, false), 'c': stop(2000, false),
	'q': stop(1800, false),
}

var pairs = map[string]sound{
	"ee": vowel(270, 2290, 3010, 120), "ea": vowel(300, 2250, 2950, 115), "oo": vowel(300, 870, 2240, 115),
	"ou": vowel(620, 950, 2350, 125), "ow": vowel(600, 900, 2350, 125), "ai": vowel(500, 1900, 2500, 120),
	"ay": vowel(480, 1950, 2520, 120), "er": vowel(490, 1350, 1690, 105), "or": vowel(520, 850, 2300, 115),
	"ar": vowel(730, 1090, 2440, 120), "th": fricative(1500, false, 0.22), "sh": fricative(2300, false, 0.38),
	"ch": fricative(2400, false, 0.36), "ph": fricative(1400, false, 0.25), "ng": sonorant(250, 1900, 2500),
	"ll": sonorant(360, 1300, 2700), "ss": fricative(3300, false, 0.35), "tt": stop(2600, false),
}

var digits = map[rune]string{
	'0': "zero", '1': "wun", '2': "tu", '3': "thri", '4': "for", '5': "faiv", '6': "siks", '7': "seven",
	'8': "eit", '9': "nain",
}
