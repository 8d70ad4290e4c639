package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"parley/internal/sim/model"
)

// chatOptions are the flags of `chat`: it holds many streamed chats at once against the simulated model, through the
// real server and, in the same run, through a reverse proxy that only copies. Each may use
// one processor (GOMAXPROCS=1). A person asks, reads the answer to its end and asks again; at the sizes where nobody says
// much, each of them reads one slow answer.
type chatOptions struct {
	Streams  []int         `name:"streams" default:"100,500,5000" sep:"," help:"Chats at once, one pass for each number."`
	Duration time.Duration `name:"duration" default:"20s" help:"How long each pass lasts once all chats are open."`
	Pace     time.Duration `name:"pace" default:"100ms" help:"Between two words of an answer."`
	Slow     time.Duration `name:"slow" default:"2s" help:"The same from 1,000 chats on: most of the time their streams are idle."`
	First    time.Duration `name:"first-token" default:"0s" help:"How long the model thinks before its first word. With 0 the commit is all that there is to wait for."`
	Delay    time.Duration `name:"commit-delay" default:"0s" help:"Added to every commit of the server."`
	Procs    int           `name:"procs" default:"1" help:"Processors that the server and the proxy may use (GOMAXPROCS)."`
	Core     int           `name:"core" default:"0" help:"Processor of the server and the proxy, where they may use one and the machine has more; people and model have the next one."`
	Binary   string        `name:"binary" type:"existingfile" help:"A server that is built already, to compare versions."`
	Profile  string        `name:"profile" type:"existingdir" help:"Write profiles of the server there, taken while all chats are open; taking them costs CPU time."`
	JSON     bool          `name:"json" help:"Print one JSON object instead of the table."`
	Keep     bool          `name:"keep" help:"Keep the server's data and logs and say where they are."`
}

// answerWords is the length of an answer.
const (
	answerWords = 40
	idleStreams = 1000 // from here on answers are slow
)

// Validate checks the numbers; kong calls it.
func (o chatOptions) Validate() error {
	for _, n := range o.Streams {
		if n < 1 || n > 20000 {
			return errors.New("--streams must be 1 to 20000")
		}
	}
	if answerWords*o.Slow > 100*time.Second || o.Pace < 0 || o.Slow < 0 {
		return errors.New("--pace and --slow must be 0s to 2.5s: a turn of the server lasts at most 2 minutes")
	}
	if o.Core < 0 || o.Core >= runtime.NumCPU() {
		return fmt.Errorf("--core must be 0 to %d", runtime.NumCPU()-1)
	}
	return nil
}

// Run measures and prints.
func (o chatOptions) Run(ctx context.Context) error {
	return judged(o.run(ctx, os.Stdout, os.Stderr))
}

func (o chatOptions) run(ctx context.Context, out, progress io.Writer) (ok bool, err error) {
	w, err := openWorkshop(ctx, progress, o.Keep)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if o.pins() { // after the server is built
		if err := pinSelf((o.Core + 1) % runtime.NumCPU()); err != nil {
			return false, err
		}
	}
	var results []chatResult
	for _, n := range o.Streams {
		for _, subject := range []string{subjectProxy, subjectParley} {
			_, _ = fmt.Fprintf(progress, "%d chats through %s\n", n, subject)
			p := chatPass{chatOptions: o, streams: n, subject: subject, dir: filepath.Join(w.dir, fmt.Sprintf("%s-%d", subject, n)), binary: cmp.Or(o.Binary, w.binary)}
			r, err := p.run(ctx)
			if err != nil {
				return false, fmt.Errorf("%d chats through %s: %w", n, subject, err)
			}
			results = append(results, r)
		}
	}
	r := newChatReport(results)
	if o.JSON {
		return r.OK, writeJSON(out, r)
	}
	return r.OK, r.table(out)
}

// pins says whether the subject has a processor of its own, so that what it adds is not the load's share of it.
func (o chatOptions) pins() bool {
	return o.Procs == 1 && runtime.NumCPU() > 1 && runtime.GOOS == "linux"
}

// subjectProxy is what the server, subjectParley, is compared with.
const subjectProxy = "proxy"

// chatPass is one number of chats through one subject.
type chatPass struct {
	chatOptions
	streams int
	subject string
	dir     string
	binary  string
	server  *server
	model   *model.Server
	agent   string
}

func (p *chatPass) pace() time.Duration {
	if p.streams >= idleStreams {
		return p.Slow
	}
	return p.Pace
}

// slowBrain says the same words to everybody.
type slowBrain struct {
	text        string
	pace, first time.Duration
}

func (b slowBrain) Reply(model.ChatTurn) model.ChatReply {
	pace := b.pace
	if pace == 0 {
		pace = -1
	}
	return model.ChatReply{Text: b.text, Pace: pace, Delay: b.first}
}

// answerText is what the model says: words of a usual length.
var answerText = strings.TrimSpace(strings.Repeat("lorem ipsum ", answerWords/2))

// run starts the model and the subject, opens the chats one after another, and measures while all of them are open.
func (p *chatPass) run(ctx context.Context) (r chatResult, err error) {
	p.model, err = model.Start(model.Options{ChatBrain: slowBrain{answerText, p.pace(), p.First}})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.model.Close()) }()
	if err := p.start(ctx); err != nil {
		return r, err
	}
	defer func() { // thousands of answers are still being written: nobody waits for them
		_ = p.server.cmd.Process.Kill()
		<-p.server.exited
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: p.streams, MaxIdleConns: p.streams}}
	defer client.CloseIdleConnections()
	return p.measure(ctx, client)
}

// start starts the subject.
func (p *chatPass) start(ctx context.Context) error {
	procs := fmt.Sprint("GOMAXPROCS=", p.Procs)
	if p.subject == subjectProxy {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding this program: %w", err)
		}
		p.server = &server{pin: p.pins(), core: p.Core}
		return p.server.launch(ctx, p.dir, []string{procs, "PROXY_TARGET=" + strings.TrimSuffix(p.model.BaseURL(), "/v1")}, self, "sse-proxy")
	}
	p.server = newServer()
	p.server.pin, p.server.core = p.pins(), p.Core
	env := append(p.server.env(p.dir, p.model.BaseURL(), p.model.Key()), procs)
	if p.Profile != "" {
		address, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		p.server.debug = "http://" + address
		env = append(env, "PARLEY_DEBUG_LISTEN="+address, "GODEBUG=memprofilerate=4096")
	}
	if err := p.server.launch(ctx, p.dir, env, p.binary, "serve", "--commit-delay="+p.Delay.String()); err != nil {
		return err
	}
	var agent struct{ ID string }
	err := p.server.call(ctx, http.MethodPost, "/api/v1/agents", map[string]any{"name": "Load test", "type": "chat", "instructions": "Be brief."}, &agent)
	p.agent = agent.ID
	return err
}
