package main

import (
	"os"
	"os/exec"
	"path/filepath"
)

// speaker is one voice of one of the programs. language picks its lines.
type speaker struct {
	set, name, program, voice, language string
	args                                []string
}

var speakers = []speaker{
	{"tuned", "kal", "flite", "kal", "en", nil},
	{"tuned", "slt", "flite", "slt", "en", nil},
	{"tuned", "en-us f2", "espeak-ng", "en-us+f2", "en", []string{"-s", "165"}},
	{"tuned", "en-gb m4", "espeak-ng", "en-gb+m4", "en", []string{"-s", "190", "-p", "40"}},
	{"tuned", "de m2", "espeak-ng", "de+m2", "de", []string{"-s", "170"}},
	{"tuned", "fi f3", "espeak-ng", "fi+f3", "fi", []string{"-s", "170"}},
	{"tuned", "awb", "flite", "awb", "en", nil},
	{"tuned", "rms", "flite", "rms", "en", nil},
	{"tuned", "en-us m7", "espeak-ng", "en-us+m7", "en", []string{"-s", "175", "-p", "35"}},
	{"tuned", "en-gb f5", "espeak-ng", "en-gb-x-rp+f5", "en", []string{"-s", "150", "-p", "70"}},
	{"tuned", "es m3", "espeak-ng", "es+m3", "es", []string{"-s", "180"}},
	{"tuned", "fr f4", "espeak-ng", "fr-fr+f4", "fr", []string{"-s", "170"}},
	{"tuned", "sv m1", "espeak-ng", "sv+m1", "sv", []string{"-s", "165"}},
	{"held", "ked", "festival", "ked_diphone", "en", nil},
	{"held", "en-us Annie", "espeak-ng", "en-us+Annie", "en", []string{"-s", "160"}},
	{"held", "scotland m5", "espeak-ng", "en-gb-scotland+m5", "en", []string{"-s", "180"}},
	{"held", "carib f4", "espeak-ng", "en-029+f4", "en", []string{"-s", "170", "-p", "60"}},
	{"held", "en-us klatt2", "espeak-ng", "en-us+klatt2", "en", []string{"-s", "165"}},
	{"held", "it m6", "espeak-ng", "it+m6", "it", []string{"-s", "165"}},
	{"held", "it f1", "espeak-ng", "it+f1", "it", []string{"-s", "185"}},
	{"held", "fi m8", "espeak-ng", "fi+m8", "fi", []string{"-s", "160"}},
	{"held", "nl m3", "espeak-ng", "nl+m3", "nl", []string{"-s", "165"}},
}

// utterance is a line. sound is what the program is given when its reading of the text would be wrong: espeak-ng's
// phonemes. slow stretches it: programs read single words faster than people say them in passing.
type utterance struct {
	kind, text, sound string
	slow              bool
}

// Sentences differ between the sets, so that a rhythm cannot be learned either.
var sentences = map[string][]string{
	"tuned en": {
		"wait a second I have a question", "no that is not what I meant", "sorry can I stop you there", "what about tomorrow then",
		"can you say that again", "excuse me that is wrong", "actually I want to cancel my order", "hang on what does it cost",
		"let me ask something else", "I need to speak to someone",
	},
	"tuned de": {"Moment mal das stimmt nicht", "können Sie das wiederholen", "was kostet das denn"},
	"tuned fi": {"anteeksi en ymmärtänyt", "paljonko se maksaa", "voisitko toistaa sen"},
	"tuned es": {"perdone eso no es correcto", "cuánto cuesta eso", "puede repetirlo por favor"},
	"tuned fr": {"attendez ce n'est pas ça", "combien ça coûte", "pouvez vous répéter"},
	"tuned sv": {"ursäkta det stämmer inte", "vad kostar det då", "kan du säga det igen"},
	"held en": {
		"sorry I have to interrupt you", "that date does not work for me", "yes but how long does it take", "is there anything cheaper",
		"I said Thursday not Tuesday",
	},
	"held it": {"scusi non ho capito", "quanto costa questo", "può ripetere per favore", "aspetti un momento"},
	"held fi": {"hetkinen tuo on väärin", "milloin te aukeatte", "haluan perua varauksen"},
	"held nl": {"sorry dat klopt niet", "wat kost dat dan", "kunt u dat herhalen"},
}

var commands = map[string][]string{
	"en": {"no", "stop", "wait", "yes", "hold on"},
	"de": {"nein", "stopp", "warte"}, "fi": {"ei", "odota", "seis"},
	"es": {"no", "espera", "para"}, "fr": {"non", "attends", "stop"}, "sv": {"nej", "vänta", "stopp"},
	"it": {"no", "aspetta", "basta", "sì"}, "nl": {"nee", "wacht", "stop"},
}

// nods are what listeners say: text, and espeak-ng's phonemes where it would spell the text.
var nods = map[string][][2]string{
	"en": {{"uh-huh", "[[V'hV]]"}, {"mhm", "[[m@h'm]]"}, {"mm", "[[m:m:]]"}, {"okay", ""}, {"right", ""}, {"yeah", ""}},
	"de": {{"mhm", "[[m@h'm]]"}, {"genau", ""}, {"ach so", ""}}, "fi": {{"mm", "[[m:m:]]"}, {"joo", ""}, {"niin", ""}},
	"es": {{"ajá", ""}, {"vale", ""}, {"mm", "[[m:m:]]"}}, "fr": {{"mhm", "[[m@h'm]]"}, {"d'accord", ""}, {"ouais", ""}},
	"sv": {{"mm", "[[m:m:]]"}, {"jaha", ""}, {"okej", ""}},
	"it": {{"va bene", ""}, {"certo", ""}, {"capito", ""}}, "nl": {{"mm", "[[m:m:]]"}, {"oké", ""}, {"precies", ""}},
}

func (s speaker) lines() (out []utterance) {
	for _, text := range sentences[s.set+" "+s.language] {
		out = append(out, utterance{kind: "sentence", text: text})
	}
	for _, text := range commands[s.language] {
		out = append(out, utterance{kind: "command", text: text, slow: true})
	}
	for _, n := range nods[s.language] {
		u := utterance{kind: "backchannel", text: n[0], sound: n[1], slow: true}
		if s.program != "espeak-ng" { // they cannot be given phonemes of a hum
			u.sound = map[string]string{"uh-huh": "uh huh", "mhm": "um hum", "mm": "hum"}[n[0]]
		}
		out = append(out, u)
	}
	return out
}

func (s speaker) say(tmp string, u utterance) []int16 {
	text, wav := u.text, filepath.Join(tmp, "say.wav")
	if u.sound != "" {
		text = u.sound
	}
	args := append([]string{"-v", s.voice, "-w", wav}, s.args...)
	switch s.program {
	case "flite":
		args = []string{"-voice", s.voice, "-o", wav, "-t"}
		if u.slow {
			args = append([]string{"--setf", "duration_stretch=1.25"}, args...)
		}
	case "festival":
		s.festival(text, wav, u.slow)
		return band(wav)
	}
	check(exec.Command(s.program, append(args, text)...).Run())
	return band(wav)
}

// festival speaks through text2wave.
func (s speaker) festival(text, wav string, slow bool) {
	in := wav + ".txt"
	check(os.WriteFile(in, []byte(text), 0o644))
	args := []string{"-eval", "(voice_" + s.voice + ")", in, "-o", wav}
	if slow {
		args = append([]string{"-eval", "(Parameter.set 'Duration_Stretch 1.2)"}, args...)
	}
	check(exec.Command("text2wave", args...).Run())
}
