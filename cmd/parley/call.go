package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/sim/phone"
)

// callCmd is a simulated phone in the terminal: a call through the server's real inbound route.
type callCmd struct {
	Agent     string        `name:"agent" placeholder:"ID" xor:"whom" help:"Call this agent. Without --agent and --to: the oldest voice agent that answers, at first the example agent."`
	To        string        `name:"to" placeholder:"NUMBER" xor:"whom" help:"Dial this number of the server, in E.164."`
	Say       []string      `name:"say" placeholder:"FILE" sep:"none" type:"path" help:"What to say: a WAV file of any rate, or raw 8 kHz µ-law (.ulaw). Repeatable, one turn for each file. Without it, speech-like sound."`
	Turns     int           `name:"turns" default:"2" help:"With one --say: how often to say it."`
	Interrupt time.Duration `name:"interrupt" placeholder:"DURATION" help:"From the second turn on, speak that long after the agent began to answer, such as 1s, instead of waiting for its end."`
	DTMF      string        `name:"dtmf" placeholder:"KEYS" help:"Keys to press after the greeting: 0-9, A-D, * and #."`
	Save      string        `name:"save" placeholder:"FILE" type:"path" help:"Save what was heard: a mono WAV file, 8 kHz, 16 bits."`
	URL       string        `name:"url" default:"http://127.0.0.1:8080" help:"Where the server is reached."`
	PublicURL string        `name:"public-url" env:"PARLEY_PUBLIC_URL" placeholder:"URL" help:"The server's public address, for which a phone without key signs (default: --url)."`
	Key       string        `name:"key" env:"PARLEY_API_KEY" placeholder:"KEY" help:"API key (scopes calls, agents:read, conversations:read). Without it, a server on this machine is called with the key in its data folder."`
	Data      string        `name:"data" env:"PARLEY_DATA" default:"./parley-data" placeholder:"DIR" help:"The server's data folder, if it is on this machine."`
	Timeout   time.Duration `name:"timeout" default:"5m" help:"Hang up then at the latest."`
	JSON      bool          `name:"json" help:"Print one JSON object at the end, and nothing else, on standard output."`

	origin *url.URL // --url
}

// Validate checks the flags; kong calls it.
func (c *callCmd) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url %s is not an address: give one such as http://127.0.0.1:8080", c.URL)
	}
	c.origin = u
	switch {
	case c.Turns < 1 || c.Turns > 100:
		return errors.New("--turns must be 1 to 100")
	case c.Interrupt < 0:
		return errors.New("--interrupt must not be negative")
	case c.Timeout <= 0:
		return errors.New("--timeout must be longer than 0s")
	case strings.Trim(c.DTMF, "0123456789ABCD*#") != "":
		return errors.New("--dtmf takes the keys 0-9, A-D, * and #")
	case c.Agent != "" && !parley.IsID(c.Agent):
		return fmt.Errorf("--agent %s is not an agent's id: GET /api/v1/agents lists them", c.Agent)
	}
	return nil
}

// Run places the call, shows it, and judges it: nil means that it went as it should.
func (c *callCmd) Run(ctx context.Context, s streams) error {
	clips, opt, api, err := c.prepare(ctx)
	if err != nil {
		if !c.JSON {
			return err
		}
		none := newCallResult(&phone.Report{}, nil, "")
		none.OK, none.Error = false, plain(err)
		return errors.Join(err, newCallView(s.out, true, nil).end(none))
	}
	show := newCallView(s.out, c.JSON, clips)
	opt.Program, opt.MaxDuration, opt.OnEvent = c.program(clips), c.Timeout, show.event
	call, err := phone.Dial(ctx, opt)
	if err != nil {
		return err
	}
	show.dialing(call, call.Report().To, c.URL)
	record := follow(ctx, call, api, show)
	report := call.Report()
	result := newCallResult(report, record, call.Parameter("conversationId"))
	err = c.judge(report, record, len(clips))
	if c.Save != "" && len(report.Heard) > 0 {
		if saveErr := saveWAV(c.Save, report.Samples()); saveErr != nil {
			err = errors.Join(err, saveErr)
		} else {
			result.SavedTo = c.Save
		}
	}
	if err != nil {
		result.OK, result.Error = false, plain(err)
	}
	return errors.Join(err, show.end(result))
}

// prepare does everything that can fail before the phone rings.
func (c *callCmd) prepare(ctx context.Context) (clips []clip, opt phone.Options, api *callAPI, err error) {
	if clips, err = c.clips(); err != nil {
		return nil, opt, nil, err
	}
	if c.Save != "" {
		if dir, err := os.Stat(filepath.Dir(c.Save)); err != nil || !dir.IsDir() {
			return nil, opt, nil, fmt.Errorf("--save %s: the folder does not exist: make it first", c.Save)
		}
	}
	opt, api, err = c.place(ctx)
	return clips, opt, api, err
}

// clip is one thing to say.
type clip struct {
	name string
	ulaw []byte
}

// clips reads the files of --say; one file is said --turns times.
func (c *callCmd) clips() ([]clip, error) {
	var out []clip
	for _, path := range c.Say {
		ulaw, err := readSpeech(path)
		if err != nil {
			return nil, fmt.Errorf("--say %s: %w", path, err)
		}
		out = append(out, clip{filepath.Base(path), ulaw})
	}
	if len(out) == 0 {
		out = append(out, clip{"a hum", phone.Hum("hello can you hear me please")})
	}
	if len(out) == 1 {
		for len(out) < c.Turns {
			out = append(out, out[0])
		}
	}
	return out, nil
}

// Waits of the caller. The limits are far beyond what anyone would stand on the phone.
const (
	greetingWait = 3 * time.Second
	answerWait   = 30 * time.Second
	speechLimit  = 3 * time.Minute
	pause        = time.Second // of the agent, taken for its end
)

// program is what the caller does: let the agent greet, then say each clip and hear the answer out.
func (c *callCmd) program(clips []clip) []phone.Step {
	steps := []phone.Step{phone.WaitUpTo(greetingWait), phone.WaitForSilence(pause, speechLimit)}
	if c.DTMF != "" {
		steps = append(steps, phone.DTMF(c.DTMF))
	}
	for i, clip := range clips {
		if i > 0 && c.Interrupt > 0 {
			steps = append(steps, phone.Interrupt(c.Interrupt, answerWait))
		} else if i > 0 {
			steps = append(steps, phone.WaitForAgent(answerWait), phone.WaitForSilence(pause, speechLimit))
		}
		steps = append(steps, phone.Say(clip.ulaw))
	}
	return append(steps, phone.WaitForAgent(answerWait), phone.WaitForSilence(pause, speechLimit), phone.Hangup())
}

// readSpeech reads a file as µ-law, 8 kHz.
func readSpeech(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("there is no such file: name an existing one, such as examples/hello.wav")
	}
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer func() { _ = f.Close() }()
	var ulaw []byte
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ulaw", ".mulaw", ".ul", ".pcmu":
		if ulaw, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	default:
		wav, err := audio.ReadWAV(f)
		if err != nil {
			return nil, err
		}
		ulaw = audio.EncodeULaw(audio.Resample(wav.Samples, wav.Rate, audio.Rate))
	}
	if len(ulaw) > int(speechLimit.Milliseconds())*audio.BytesPerMs {
		return nil, fmt.Errorf("it is longer than %v: use a shorter recording", speechLimit)
	}
	for rest := ulaw; len(rest) > 0; rest = rest[min(len(rest), audio.FrameBytes):] {
		if audio.RMSULaw(rest[:min(len(rest), audio.FrameBytes)]) > quietest {
			return ulaw, nil
		}
	}
	return nil, errors.New("nothing can be heard in it: use a recording with audible speech")
}

// quietest is the loudness (RMS) below which a frame of speech is silence for any voice activity detection.
const quietest = 200

func saveWAV(path string, samples []int16) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("--save: %w", err)
	}
	return errors.Join(audio.WriteWAV(f, audio.Rate, samples), f.Close())
}
