package rehearsal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"parley/internal/sim/model"
	"parley/internal/sim/phone"
)

// OpeningOptions say what is measured.
type OpeningOptions struct {
	Calls, AtOnce int
	MaxWait       time.Duration // the model's connection takes up to so long to be accepted
	Seed          uint64
}

// OpeningReport says what of the callers' first seconds reached the model.
type OpeningReport struct {
	Calls  int
	Frames int // that callers spoke
	Lost   int
	Faults []string
}

// ears keep what the connections of the model have heard, until it is taken.
type ears struct {
	mu    sync.Mutex
	heard map[*model.Conn][]byte
}

func (e *ears) watch(c *model.Conn, dir model.Direction, raw []byte) {
	if dir != model.FromClient || !bytes.Contains(raw[:min(len(raw), 64)], []byte("input_audio_buffer.append")) {
		return
	}
	var m struct{ Audio string }
	if json.Unmarshal(raw, &m) != nil {
		return
	}
	audio, _ := base64.StdEncoding.DecodeString(m.Audio)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[c] = append(e.heard[c], audio...)
}

// taken returns how many of the stamps of a call reached the model, each once and in order.
func (e *ears) taken(id int) (n int, inOrder bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, audio := range e.heard {
		found := stamps(audio)
		if len(found) == 0 || found[0].id != id {
			continue
		}
		inOrder = true
		for i, s := range found {
			inOrder = inOrder && s.at == i
		}
		return len(found), inOrder
	}
	return 0, false
}

// Opening lets callers speak from the first moment on, while the model's session is being opened.
func Opening(ctx context.Context, opt OpeningOptions) (OpeningReport, error) {
	const spoken = 4000 // ms
	e := &ears{heard: map[*model.Conn][]byte{}}
	rnd := rand.New(rand.NewPCG(opt.Seed, 7))
	door := &slowDoor{wait: func() time.Duration { return time.Duration(rnd.Int64N(int64(opt.MaxWait))) }}
	h, err := NewHouse(ctx, Options{Model: model.Options{OnMessage: e.watch}, Upstream: door.between})
	if err != nil {
		return OpeningReport{}, err
	}
	var report OpeningReport
	var mu sync.Mutex
	var calls sync.WaitGroup
	places := make(chan struct{}, opt.AtOnce)
	for id := range opt.Calls {
		calls.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			err := h.listenTo(ctx, id, stamped(id%maxStamp, spoken))
			n, inOrder := e.taken(id % maxStamp)
			mu.Lock()
			defer mu.Unlock()
			report.Calls++
			report.Frames += spoken / 20
			report.Lost += (spoken - n + 19) / 20
			if err != nil || !inOrder {
				report.Faults = append(report.Faults, fmt.Sprintf("call %d: %d of %d ms, in order %v: %v", id, n, spoken, inOrder, err))
			}
		})
	}
	calls.Wait()
	err = h.Close()
	door.close()
	return report, err
}

// listenTo places a call that says something as soon as it is connected and hangs up a while later.
func (h *House) listenTo(ctx context.Context, id int, ulaw []byte) error {
	number, err := h.Agent(ctx, fmt.Sprintf("opening-%d", id), nil)
	if err != nil {
		return err
	}
	c, err := h.Dial(ctx, number, phone.Options{Program: []phone.Step{
		phone.Wait(time.Second), // the carrier hears the caller once its stream is open
		phone.Say(ulaw), phone.Wait(time.Second), phone.Hangup(),
	}})
	if err != nil {
		return err
	}
	r := c.Wait(ctx)
	if len(r.Violations) > 0 {
		return fmt.Errorf("%v", r.Violations)
	}
	return ctx.Err()
}

// slowDoor is a proxy before the model that takes its time to let a connection through.
type slowDoor struct {
	wait     func() time.Duration // called by one goroutine
	listener net.Listener
	open     sync.WaitGroup
}

// between is an Options.Upstream.
func (d *slowDoor) between(address string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening: %w", err)
	}
	d.listener = l
	d.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait := d.wait()
			d.open.Go(func() { pass(c, address, wait) })
		}
	})
	return l.Addr().String(), nil
}

func (d *slowDoor) close() {
	_ = d.listener.Close()
	d.open.Wait()
}

// pass connects a client with an address after some time, until both have ended.
func pass(client net.Conn, address string, wait time.Duration) {
	defer func() { _ = client.Close() }()
	time.Sleep(wait)
	server, err := net.Dial("tcp", address) //nolint:noctx // a loopback listener of this process
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
		})
	}
	both.Wait()
}
