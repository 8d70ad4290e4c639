package main

import (
	"context"
	"errors"
	"net/http"

	"parley"
	"parley/internal/api"
	"parley/internal/auth"
	"parley/internal/call"
	"parley/internal/chat"
	"parley/internal/config"
	"parley/internal/event"
	"parley/internal/limit"
	"parley/internal/log"
	"parley/internal/number"
	"parley/internal/openai"
	"parley/internal/phone"
	"parley/internal/server"
	"parley/internal/store"
	"parley/internal/tool"
	"parley/internal/voice"
	"parley/internal/web"
)

// wire makes every part and connects it with the parts below it.
func (a *app) wire(context.Context) error {
	tools := tool.New(tool.Options{Logger: a.logger})
	a.log = log.New(a.store, event.NewBus(), log.Options{Logger: a.logger})
	a.onClose("log", a.log.Close)
	a.auth = auth.New(a.store, a.logger, a.cfg.RateLimit)
	a.onClose("authenticator", func(context.Context) error { a.auth.Close(); return nil })
	a.wireCalls(tools)
	a.wireChat(tools)
	a.wireServer()
	a.countThings()
	return nil
}

// wireCalls connects /twilio/ with the voice sessions.
func (a *app) wireCalls(tools *tool.Runner) {
	a.calls = call.New(a.store, a.log, a.ring, call.Options{
		PublicURL: a.origin, Owner: a.owner, DefaultOrg: a.setup.org.ID, Defaults: a.carrier,
		Simulated: a.cfg.TwilioAuthToken == "", TwilioAPIURL: a.cfg.TwilioAPIURL, Logger: a.logger,
	})
	a.host = voice.NewHost(voice.HostOptions{Calls: a.calls, Tools: tools, Endpoint: a.endpointOf, Logger: a.logger})
	a.phone = phone.New(phone.Options{PublicURL: a.origin, Calls: a.calls, Host: a.host, Refuse: a.log.Backlogged, Logger: a.logger})
}

func (a *app) wireChat(tools *tool.Runner) {
	a.chat = chat.New(chat.Options{
		Store: a.store, Log: a.log, Tools: tools, Owner: a.owner, Logger: a.logger,
		Model: openai.NewChat(openai.ChatOptions{}), Endpoint: a.endpointOf,
	})
	a.onClose("chat", a.chat.Close)
}

func (a *app) wireServer() {
	twilio := http.NewServeMux()
	a.phone.Register(twilio)
	rest := api.New(api.Options{
		Store: a.store, Auth: a.auth, Logger: a.logger, PublicURL: a.origin, Version: apiVersion,
		RateLimit: a.cfg.RateLimit, Limits: limit.New(limit.Options{Shared: a.store, Logger: a.logger}), Ring: a.ring, Chat: a.chat, Calls: a.calls,
		Numbers: number.New(number.Options{Store: a.store, Account: a.calls.Account, PublicURL: a.origin, APIURL: a.cfg.TwilioAPIURL, DefaultOrg: a.setup.org.ID, Logger: a.logger}),
	})
	proxies, _ := a.cfg.Proxies() // checked with the configuration
	a.server = server.New(server.Options{
		API: rest.Mux(), Twilio: twilio, Metrics: a.metrics, MetricsToken: a.cfg.MetricsToken, Proxies: proxies, Logger: a.logger,
		Page:  web.New(web.State{Origin: a.origin, Simulated: a.model != nil, VoiceAgentID: a.setup.voiceAgentID, ChatAgentID: a.setup.chatAgentID}),
		Ready: []server.Check{{Name: "database", Run: a.store.Ping}, {Name: "log", Run: a.checkLog}},
	})
	a.onClose("server", func(context.Context) error { return a.server.Close() })
}

// checkLog fails when the database does not keep up with what is said.
func (a *app) checkLog(context.Context) error {
	if a.log.Backlogged() {
		return errors.New("too many events wait to be committed")
	}
	return nil
}

// endpoint is the model provider of organizations without a key of their own.
func (a *app) endpoint() openai.Endpoint {
	if a.model != nil {
		return openai.Endpoint{BaseURL: a.model.BaseURL(), Key: a.model.Key(), Simulated: true}
	}
	base := a.cfg.OpenAIBaseURL
	if base == "" {
		base = config.DefaultOpenAIBaseURL
	}
	return openai.Endpoint{BaseURL: base, Key: a.cfg.OpenAIKey}
}

// endpointOf is the model provider of one organization, with its own key when it has one.
func (a *app) endpointOf(ctx context.Context, orgID string) (openai.Endpoint, error) {
	e := a.endpoint()
	sealed, err := a.store.FindCredentials(ctx, orgID)
	if err != nil && !parley.IsNotFound(err) {
		return openai.Endpoint{}, err
	}
	if len(sealed.OpenAIKey) == 0 {
		return e, nil
	}
	key, err := a.ring.Open(store.CredentialAAD(orgID, store.ColumnOpenAIKey), sealed.OpenAIKey)
	if err != nil {
		return openai.Endpoint{}, err
	}
	if e.Simulated {
		e.BaseURL = config.DefaultOpenAIBaseURL
	}
	return openai.Endpoint{BaseURL: e.BaseURL, Key: string(key)}, nil
}

// countThings registers what the owners count, for /metrics.
func (a *app) countThings() {
	m := a.metrics
	m.Gauge("parley_calls_live", "Calls with a running session.", func() float64 { return float64(a.phone.Live()) })
	m.Counter("parley_calls_completed_total", "Call sessions that ended as they should.", func() float64 { return float64(a.host.Stats().Completed) })
	m.Counter("parley_calls_failed_total", "Call sessions that failed: no model, a lost carrier, an error.", func() float64 { return float64(a.host.Stats().Failed) })
	m.Counter("parley_calls_detached_total", "Media streams that vanished without a stop.", func() float64 { return float64(a.host.Stats().Detached) })
	m.Counter("parley_calls_fenced_total", "Call sessions that another process took over.", func() float64 { return float64(a.host.Stats().Fenced) })
	m.Counter("parley_calls_underruns_total", "Holes in the agents' voices, by our own estimate.", func() float64 { return float64(a.host.Stats().Underruns) })
	m.Gauge("parley_chat_runs_active", "Chat turns under way.", func() float64 { return float64(a.chat.Active()) })
	m.Gauge("parley_log_pending_bytes", "Events that wait to be committed.", func() float64 { return float64(a.log.Stats().PendingBytes) })
	m.Counter("parley_log_commits_total", "Commits of the event log.", func() float64 { return float64(a.log.Stats().Commits) })
	m.Counter("parley_log_rows_total", "Events committed.", func() float64 { return float64(a.log.Stats().Rows) })
	m.Counter("parley_log_fenced_total", "Writers fenced off by another owner.", func() float64 { return float64(a.log.Stats().Fenced) })
	m.Counter("parley_log_dropped_total", "Telemetry events dropped under load.", func() float64 { return float64(a.log.Stats().Dropped) })
	m.Counter("parley_store_commits_total", "Transactions of the writer.", func() float64 { return float64(a.store.Stats().Commits) })
	m.Gauge("parley_store_writer_wait_seconds", "How long the last transaction waited for the writer.", func() float64 { return a.store.Stats().WriterWait.Seconds() })
	m.Gauge("parley_store_write_max_seconds", "The longest transaction so far.", func() float64 { return a.store.Stats().MaxWrite.Seconds() })
}
