package phone

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/audio"
	"parley/internal/call"
	"parley/internal/capacity"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/record"
	"parley/internal/secret"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/schema"
	"parley/internal/sim/speech"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
	"parley/internal/voice"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const (
	defaultSID   = "AC00000000000000000000000000000001"
	defaultToken = "default-token"
	number       = "+15550100002"
)

// house is the path of a call from the webhook to the record: real store, log, call, voice and HTTP, with the
// simulated phone and the simulated model at its ends.
type house struct {
	t       *testing.T
	st      *store.Store
	ring    *secret.Ring
	org     parley.Organization
	agent   parley.Agent
	calls   *call.Service
	host    *voice.Host
	handler *Handler
	model   *model.Server
	url     string
	logs    *logBuffer

	mu   sync.Mutex
	told []string // to the model, without audio
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type houseOptions struct {
	model      model.Options
	modelKey   string // instead of the simulator's
	modelURL   string // instead of the simulator's
	voice      func(*parley.VoiceConfig)
	capacity   *capacity.Capacity
	recordings *record.Folder
	twilioAPI  string        // origin of the carrier's REST API; "" = there is none
	billed     bool          // the model is taken for a real one, which costs
	patience   time.Duration // of a call without a model; zero = 4 s
	tools      []string      // ids, of the agent
	// watch sees every message of the model's connections.
	watch func(c *model.Conn, dir model.Direction, raw []byte)
}

func newHouse(t *testing.T, st *store.Store, opt houseOptions) *house {
	t.Helper()
	h := &house{t: t, st: st, logs: &logBuffer{}}
	client := schema.RealtimeClient(t)
	opt.model.OnMessage = func(c *model.Conn, dir model.Direction, raw []byte) {
		if opt.watch != nil {
			opt.watch(c, dir, raw)
		}
		if dir == model.FromClient {
			client.Check(t, raw)
			if msg := string(raw); !strings.Contains(msg, "input_audio_buffer.append") {
				h.mu.Lock()
				h.told = append(h.told, msg)
				h.mu.Unlock()
			}
		}
	}
	var err error
	if h.model, err = model.Start(opt.model); err != nil {
		t.Fatal(err)
	}
	if h.ring, err = secret.OpenRing(filepath.Join(t.TempDir(), "secret.keys"), true); err != nil {
		t.Fatal(err)
	}
	h.org = storetest.Organization(t, st)
	h.agent = storetest.NewAgent(h.org.ID, parley.AgentVoice)
	h.agent.PhoneNumbers = []string{number}
	h.agent.Voice.Timeout = 0
	h.agent.ToolIDs = append(h.agent.ToolIDs, opt.tools...)
	if opt.voice != nil {
		opt.voice(h.agent.Voice)
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, h.org.ID, h.agent) })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + listener.Addr().String()
	logger := slog.New(slog.NewTextHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	lg := log.New(st, event.NewBus(), log.Options{Logger: logger})
	h.calls = call.New(st, lg, h.ring, call.Options{
		PublicURL: h.url, Owner: "test", TwilioAPIURL: opt.twilioAPI, DefaultOrg: h.org.ID, Simulated: true, Logger: logger,
		Defaults: parley.Credentials{TwilioAccountSID: defaultSID, TwilioAuthToken: defaultToken},
	})
	key, base := h.model.Key(), h.model.BaseURL()
	if opt.modelKey != "" {
		key = opt.modelKey
	}
	if opt.modelURL != "" {
		base = opt.modelURL
	}
	h.host = voice.NewHost(voice.HostOptions{
		Calls: h.calls, Tools: tool.New(tool.Options{}), Recordings: opt.recordings, Logger: logger, Capacity: opt.capacity,
		Patience: cmp.Or(opt.patience, 4*time.Second),
		Endpoint: func(context.Context, string) (openai.Endpoint, error) {
			return openai.Endpoint{BaseURL: base, Key: key, Simulated: !opt.billed}, nil
		},
	})
	h.handler = New(Options{PublicURL: h.url, Calls: h.calls, Host: h.host, Log: lg, Capacity: opt.capacity, Logger: logger})
	mux := http.NewServeMux()
	h.handler.Register(mux)
	srv := httptest.NewUnstartedServer(mux)
	_ = srv.Listener.Close()
	srv.Listener = listener
	srv.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		h.handler.Drain(ctx)
		srv.Close()
		if err := lg.Close(ctx); err != nil {
			t.Error(err)
		}
		_ = h.model.Close()
	})
	return h
}

// dial places a call and returns its report when it has ended.
func (h *house) dial(opt phone.Options) (*phone.Call, *phone.Report) {
	h.t.Helper()
	opt.WebhookURL = h.url + "/twilio/voice"
	if opt.AuthToken == "" {
		opt.AuthToken = defaultToken
	}
	if opt.AccountSID == "" {
		opt.AccountSID = defaultSID
	}
	if opt.To == "" {
		opt.To = number
	}
	to := schema.TwilioTo(h.t)
	from := schema.TwilioFrom(h.t)
	opt.OnMessage = func(dir phone.Direction, raw []byte) {
		if dir == phone.Received {
			to.Check(h.t, raw)
		} else {
			from.Check(h.t, raw)
		}
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 60*time.Second)
	defer cancel()
	c, err := phone.Dial(ctx, opt)
	if err != nil {
		h.t.Fatal(err)
	}
	return c, c.Wait(ctx)
}

// conversation waits until the record of the only conversation is closed.
func (h *house) conversation() (parley.Conversation, []parley.Event) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		list, _, err := h.st.ListConversations(h.t.Context(), h.org.ID, parley.ConversationFilter{})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(list) == 1 && list[0].Status != parley.ConversationActive {
			events, err := h.st.ListEvents(h.t.Context(), h.org.ID, list[0].ID, 0, 0)
			if err != nil {
				h.t.Fatal(err)
			}
			for i, e := range events {
				if e.Seq != int64(i+1) {
					h.t.Fatalf("event %d has seq %d", i+1, e.Seq)
				}
			}
			return list[0], events
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("conversation not closed: %+v\n%s", list, h.logs)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (h *house) count() int {
	h.t.Helper()
	_, n, err := h.st.ListConversations(h.t.Context(), h.org.ID, parley.ConversationFilter{})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// question is 1.5 s of audible speech.
func question() []byte { return speech.Say("What time do you open tomorrow morning?").ULaw }

func types(events []parley.Event) string {
	var names []string
	for _, e := range events {
		names = append(names, e.Type)
	}
	return strings.Join(names, "\n")
}

func healthy(t *testing.T, r *phone.Report) {
	t.Helper()
	if r.Failure != nil || r.GaveUp != "" || r.ViolationCount > 0 {
		t.Errorf("failure %v, gave up %q, violations %v", r.Failure, r.GaveUp, r.Violations)
	}
	if loudness := audio.RMS(r.Samples()); len(r.Heard) > 8000 && loudness == 0 {
		t.Error("nothing audible was heard")
	}
}
