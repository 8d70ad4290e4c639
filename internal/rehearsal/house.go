package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"parley"
	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/openai"
	handler "parley/internal/phone"
	"parley/internal/secret"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/tool"
	"parley/internal/voice"
)

const (
	accountSID = "AC00000000000000000000000000000001"
	authToken  = "rehearsal-token" // of the simulated carrier
	closeLimit = 20 * time.Second
)

// Options of a House.
type Options struct {
	Model model.Options
	// Voice changes the configuration of every agent.
	Voice func(*parley.VoiceConfig)
	// Carrier and Upstream put something between the bridge and its two sockets: they are given the real address
	// (host:port) and return the one to use instead. nil = direct.
	Carrier, Upstream func(address string) (string, error)
}

// House is the path of a call from the webhook to the record, in this process. Safe for concurrent use.
type House struct {
	Store *store.Store
	Model *model.Server
	Host  *voice.Host
	OrgID string

	public  string // origin, as the carrier knows it
	dir     string
	voice   func(*parley.VoiceConfig)
	logs    logs
	log     *log.Log
	handler *handler.Handler
	server  *http.Server
	served  sync.WaitGroup
	rest    *phone.REST

	mu      sync.Mutex
	numbers int
}

// NewHouse opens a house with an empty database of its own. Close it.
func NewHouse(ctx context.Context, opt Options) (_ *House, err error) {
	h := &House{voice: opt.Voice, OrgID: parley.NewID()}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if h.dir, err = os.MkdirTemp("", "parley-rehearsal-"); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	if h.Store, err = store.Open(ctx, store.Options{Path: filepath.Join(h.dir, "parley.db")}); err != nil {
		return nil, err
	}
	org := parley.Organization{ID: h.OrgID, Name: "Rehearsal", Handle: "Rehearsal", CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if err = h.Store.Write(ctx, func(tx *store.Tx) error { return tx.CreateOrganization(ctx, org) }); err != nil {
		return nil, err
	}
	if h.Model, err = model.Start(opt.Model); err != nil {
		return nil, err
	}
	modelURL := h.Model.BaseURL()
	if opt.Upstream != nil {
		address := strings.TrimSuffix(strings.TrimPrefix(modelURL, "http://"), "/v1")
		between, err := opt.Upstream(address)
		if err != nil {
			return nil, err
		}
		modelURL = "http://" + between + "/v1"
	}
	return h, h.serve(ctx, opt, modelURL)
}

// serve wires the bridge and starts its HTTP server.
func (h *House) serve(ctx context.Context, opt Options, modelURL string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	address := listener.Addr().String()
	if opt.Carrier != nil {
		if address, err = opt.Carrier(address); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	h.public = "http://" + address
	ring, err := secret.OpenRing(filepath.Join(h.dir, "secret.keys"), true)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if h.rest, err = phone.ListenREST("127.0.0.1:0", accountSID, authToken); err != nil {
		return errors.Join(err, listener.Close())
	}
	logger := slog.New(slog.NewTextHandler(&h.logs, &slog.HandlerOptions{Level: slog.LevelInfo}))
	h.log = log.New(h.Store, event.NewBus(), log.Options{Logger: logger})
	calls := call.New(h.Store, h.log, ring, call.Options{
		PublicURL: h.public, Owner: "rehearsal", DefaultOrg: h.OrgID, Simulated: true, Logger: logger, TwilioAPIURL: h.rest.URL(),
		Defaults: parley.Credentials{TwilioAccountSID: accountSID, TwilioAuthToken: authToken},
	})
	h.Host = voice.NewHost(voice.HostOptions{
		Calls: calls, Tools: tool.New(tool.Options{}), Logger: logger,
		Endpoint: func(context.Context, string) (openai.Endpoint, error) {
			return openai.Endpoint{BaseURL: modelURL, Key: h.Model.Key(), Simulated: true}, nil
		},
	})
	h.handler = handler.New(handler.Options{PublicURL: h.public, Calls: calls, Host: h.Host, Log: h.log, Logger: logger})
	mux := http.NewServeMux()
	h.handler.Register(mux)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	h.served.Go(func() { _ = h.server.Serve(listener) }) // always ends with ErrServerClosed
	return nil
}

// Agent makes an agent that answers a number of its own, which is returned. name is its model's: a connection of the
// simulated model tells by it which agent it serves.
func (h *House) Agent(ctx context.Context, name string, change func(*parley.Agent)) (number string, err error) {
	h.mu.Lock()
	h.numbers++
	number = fmt.Sprintf("+1555%07d", h.numbers)
	h.mu.Unlock()
	config := parley.DefaultVoiceConfig()
	now := time.Now().UTC().Truncate(time.Millisecond)
	a := parley.Agent{
		ID: parley.NewID(), OrgID: h.OrgID, Name: "Ada", Type: parley.AgentVoice, Status: parley.AgentActive, Model: name,
		Instructions: "Be brief.", ToolIDs: []string{}, PhoneNumbers: []string{number}, Voice: &config, CreatedAt: now, UpdatedAt: now, Revision: 1,
	}
	a.Voice.Timeout, a.Voice.TurnDetection = 0, "server_vad"
	if h.voice != nil {
		h.voice(a.Voice)
	}
	if change != nil {
		change(&a)
	}
	return number, h.Store.Write(ctx, func(tx *store.Tx) error { return tx.CreateAgent(ctx, h.OrgID, a) })
}

// Dial places a call to a number.
func (h *House) Dial(ctx context.Context, number string, opt phone.Options) (*phone.Call, error) {
	opt.WebhookURL, opt.To = h.public+"/twilio/voice", number
	opt.AccountSID, opt.AuthToken, opt.REST = accountSID, authToken, h.rest
	opt.StatusCallbackURL = h.public + "/twilio/status"
	return phone.Dial(ctx, opt)
}

// Record waits until a call's conversation is closed and returns it with its log, or what is there after the limit.
func (h *House) Record(ctx context.Context, number string, limit time.Duration) (parley.Conversation, []parley.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last parley.Conversation
	for {
		list, _, err := h.Store.ListConversations(ctx, h.OrgID, parley.ConversationFilter{Search: number, Limit: 2})
		if err == nil && len(list) == 1 {
			if last = list[0]; last.Status != parley.ConversationActive {
				events, err := h.Store.ListEvents(ctx, h.OrgID, last.ID, 0, 0)
				return last, events, err
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return last, nil, fmt.Errorf("the conversation of %s was not closed within %v: %d found, %s (%w)", number, limit, len(list), last.Status, errors.Join(err, ctx.Err()))
		}
	}
}

// Logs is the end of what the bridge has logged.
func (h *House) Logs() string { return h.logs.tail() }

// Close ends every call and everything that the house has opened.
func (h *House) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	var errs []error
	if h.handler != nil {
		h.handler.Drain(ctx)
		errs = append(errs, h.server.Close())
		h.served.Wait()
		errs = append(errs, h.log.Close(ctx))
	}
	if h.rest != nil {
		errs = append(errs, h.rest.Close())
	}
	if h.Model != nil {
		errs = append(errs, h.Model.Close())
	}
	if h.Store != nil {
		errs = append(errs, h.Store.Close())
	}
	if h.dir != "" {
		errs = append(errs, os.RemoveAll(h.dir))
	}
	return errors.Join(errs...)
}

// logs keeps the end of what was logged.
type logs struct {
	mu  sync.Mutex
	end []byte
}

const keptLogs = 1 << 20 // bytes

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end = append(l.end, p...); len(l.end) > 2*keptLogs {
		l.end = append(l.end[:0], l.end[len(l.end)-keptLogs:]...)
	}
	return len(p), nil
}

func (l *logs) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.end[max(0, len(l.end)-8<<10):])
}
