package voice

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"parley/internal/audio"
	"parley/internal/leg"
	"parley/internal/sim/speech"
)

// listener is a speech model with voice detection by energy, like OpenAI's server_vad: 50 ms of 80 above the
// threshold begin speech, with 300 ms of prefix, and 500 ms of silence end it. The threshold is −46 dBFS, or 10 dB above
// the background's mean where that is louder: it hears quiet callers, and more noise than the service does, which is
// trained to speech. Its events and the session's audio each take netDelay.
type listener struct {
	r     *rig
	clip  *clip
	tail  []byte
	heard int // ms
	loud  uint8
	last  int
	item  string
	from  int
	items int

	replies int
	dead    map[string]bool
}

const (
	netDelay    = 30 * time.Millisecond
	vadLevel    = -46.0
	transcribes = 450 * time.Millisecond // from a commit to its transcript
	firstDelta  = 300 * time.Millisecond
)

// inventions are what transcribers make of sounds without words.
var inventions = []string{"", "Thank you.", "", "Hm.", "you", "Bye.", "What?"}

func (l *listener) hear(b []byte) {
	l.tail = append(l.tail, b...)
	for len(l.tail) >= 10*bytesPerMs {
		l.window(audio.LevelULaw(l.tail[:10*bytesPerMs]))
		l.tail = l.tail[10*bytesPerMs:]
	}
}

func (l *listener) window(level float64) {
	l.heard += 10
	l.loud <<= 1
	bar := max(vadLevel, l.clip.bedLevel+10)
	if level >= bar || l.item != "" && level >= bar-4 {
		l.loud |= 1
		l.last = l.heard
	}
	switch {
	case l.item == "" && bits.OnesCount8(l.loud) >= 5:
		l.items++
		l.item, l.from = fmt.Sprintf("u%d", l.items), max(0, l.heard-80-300)
		l.later(2*netDelay, leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: l.item, AudioMs: int64(l.from)})
	case l.item != "" && l.heard-l.last >= 500:
		l.later(2*netDelay,
			leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: l.item, AudioMs: int64(l.heard)},
			leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: l.item})
		if l.r.session.cfg.Agent.Voice.Transcription {
			l.later(2*netDelay+transcribes, leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: l.item, Text: l.words()})
		}
		l.item = ""
	}
}

// words is the transcript of the item that ends now.
func (l *listener) words() string {
	c := l.clip
	switch {
	case l.items == 1:
		return c.turnText
	case c.text != "":
		return c.text
	case strings.Contains(c.kind, "tv"), strings.Contains(c.kind, "babble"):
		return "and now the weather for tomorrow"
	}
	return inventions[(c.soundAt/10+c.soundMs/10)%len(inventions)]
}

func (l *listener) later(d time.Duration, evs ...leg.ModelEvent) {
	time.AfterFunc(d, func() { l.r.model.say(evs...) })
}

// reply is a long answer the first time, a short one then. It comes at twice the speed of speech, or at once.
func (l *listener) reply() {
	l.replies++
	resp, item := fmt.Sprintf("r%d", l.replies), fmt.Sprintf("a%d", l.replies)
	voice := speech.Say(agentWords).ULaw
	if l.replies > 1 {
		voice = voice[:bytesPerMs*700]
	}
	at := firstDelta + 2*netDelay
	evs := []leg.ModelEvent{
		{Kind: leg.ModelResponseCreated, ResponseID: resp},
		{Kind: leg.ModelItemAdded, ResponseID: resp, ItemID: item, ItemType: "message"},
		{Kind: leg.ModelText, ResponseID: resp, ItemID: item, Text: agentWords},
	}
	for from := 0; from < len(voice); from += 200 * bytesPerMs {
		chunk := voice[from:min(len(voice), from+200*bytesPerMs)]
		evs = append(evs, leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: resp, ItemID: item, Audio: chunk})
		if l.clip.streaming { // else events of one moment stay together: timers have no order among themselves
			l.live(at, resp, evs...)
			at, evs = at+100*time.Millisecond, nil
		}
	}
	l.live(at, resp, append(evs,
		leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: resp, ItemID: item},
		leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: resp, ItemID: item, ItemType: "message", Status: "completed"},
		leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: resp, Status: "completed"})...)
}

// live says something of a response unless it was canceled meanwhile.
func (l *listener) live(d time.Duration, resp string, evs ...leg.ModelEvent) {
	time.AfterFunc(d, func() {
		l.r.model.mu.Lock()
		dead := l.dead[resp]
		l.r.model.mu.Unlock()
		if !dead {
			l.r.model.say(evs...)
		}
	})
}

func (l *listener) cancel(resp string) {
	l.r.model.mu.Lock()
	l.dead[resp] = true
	l.r.model.mu.Unlock()
	l.later(2*netDelay, leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: resp, Status: "cancelled"})
}
