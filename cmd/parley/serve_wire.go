package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"parley"
	"parley/internal/api"
	"parley/internal/auth"
	"parley/internal/call"
	"parley/internal/capacity"
	"parley/internal/chat"
	"parley/internal/config"
	"parley/internal/dashboard"
	"parley/internal/egress"
	"parley/internal/event"
	"parley/internal/limit"
	"parley/internal/log"
	"parley/internal/number"
	"parley/internal/openai"
	"parley/internal/phone"
	"parley/internal/record"
	"parley/internal/server"
	"parley/internal/store"
	"parley/internal/tool"
	"parley/internal/voice"
	"parley/internal/web"
	"parley/internal/widget"
)

// wire makes every part and connects it with the parts below it.
func (a *app) wire(context.Context) error {
	gate, err := a.openGate()
	if err != nil {
		return err
	}
	tools := tool.New(tool.Options{Store: a.store, Ring: a.ring, Egress: gate, Logger: a.logger})
	a.onClose("tools", func(context.Context) error { tools.Close(); return nil })
	a.counts = voice.NewCounts()
	a.wireCapacity()
	a.log = log.New(a.store, event.NewBus(), log.Options{Logger: a.logger})
	a.onClose("log", a.log.Close)
	a.auth = auth.New(a.store, a.logger, a.cfg.RateLimit)
	a.onClose("authenticator", func(context.Context) error { a.auth.Close(); return nil })
	a.wireCalls(tools)
	a.wireChat(tools)
	a.wireServer(tools)
	a.countThings()
	return nil
}

// openGate makes the only way to addresses that users give. Tools must reach neither this server nor its profiles.
func (a *app) openGate() (*egress.Gate, error) {
	own := []string{a.listener.Addr().String()}
	if a.cfg.DebugListen != "" {
		own = append(own, a.cfg.DebugListen)
	}
	gate, err := egress.New(egress.Options{Allow: a.cfg.Egress(), Own: own})
	if err != nil {
		return nil, err
	}
	a.onClose("egress", func(context.Context) error { gate.Close(); return nil })
	return gate, nil
}

// promiseLife is how long a slot is kept for a call whose media stream has not come: what its token lives.
const promiseLife = 30 * time.Second

// wireCapacity decides how many calls are taken, and starts to measure how late this process is.
func (a *app) wireCapacity() {
	a.load = capacity.NewWatch(func() (int64, int64) { return a.counts.FramesOut.Load(), a.counts.FramesLate.Load() }, a.logger)
	a.capacity = capacity.New(capacity.Options{
		Max: a.cfg.MaxCalls, MaxEach: a.cfg.MaxCallsPerOrg, Promise: promiseLife, Overloaded: a.load.Overloaded,
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.load.Run(ctx)
	}()
	a.onClose("load watch", func(context.Context) error {
		stop()
		<-done
		return nil
	})
}

// checkCapacity fails while no new call is taken, so that a load balancer sends it to another node.
func (a *app) checkCapacity(context.Context) error {
	if why := a.capacity.Exhausted(); why != capacity.Admitted {
		return fmt.Errorf("no call is taken: %s", why)
	}
	return nil
}

// wireCalls connects /twilio/ with the voice sessions.
func (a *app) wireCalls(tools *tool.Runner) {
	a.recordings = record.NewFolder(a.cfg.File("recordings"))
	a.calls = call.New(a.store, a.log, a.ring, call.Options{
		PublicURL: a.origin, Owner: a.owner, DefaultOrg: a.setup.org.ID, Defaults: a.carrier,
		Simulated: a.cfg.TwilioAuthToken == "", TwilioAPIURL: a.cfg.TwilioAPIURL, Logger: a.logger, Bill: a.bill, Ended: a.tracedCalls(),
	})
	a.host = voice.NewHost(voice.HostOptions{Calls: a.calls, Tools: tools, Endpoint: a.endpointOf, Recordings: a.recordings, Logger: a.logger,
		Bill: a.bill, Counts: a.counts, Capacity: a.capacity})
	a.phone = phone.New(phone.Options{PublicURL: a.origin, Calls: a.calls, Host: a.host, Log: a.log, Refuse: a.log.Backlogged, Capacity: a.capacity, Logger: a.logger})
}

func (a *app) wireChat(tools *tool.Runner) {
	a.chat = chat.New(chat.Options{
		Store: a.store, Log: a.log, Tools: tools, Owner: a.owner, Logger: a.logger, Bill: a.bill, Counts: a.counts.Tools,
		Model: openai.NewChat(openai.ChatOptions{}), Endpoint: a.endpointOf,
	})
	a.onClose("chat", a.chat.Close)
}

// wireWidget makes the chat of websites.
func (a *app) wireWidget() *http.ServeMux {
	a.visits = widget.NewCounts()
	mux := http.NewServeMux()
	widget.New(widget.Options{
		Store: a.store, Chat: a.chat, Ring: a.ring, PublicURL: a.origin, Budgets: widget.Budgets(a.cfg.Widget), Counts: a.visits, Logger: a.logger,
	}).Register(mux)
	return mux
}

// wirePages makes the pages of people who are logged in, and the chat for iframes.
func (a *app) wirePages(logins *auth.Logins, failures *limit.Failures) *http.ServeMux {
	mux, tickets := http.NewServeMux(), widget.NewTickets(a.ring)
	mux.Handle("GET /embed/{agentId}", widget.NewEmbed(a.store, tickets, a.logger))
	dashboard.New(dashboard.Options{
		Store: a.store, Auth: a.auth, Logins: logins, Failures: failures, Logger: a.logger, Simulated: a.model != nil,
		Ticket: func(agentID string) string { return tickets.Mint(agentID, widget.PurposeTry, 0) },
	}).Register(mux)
	return mux
}

func (a *app) wireServer(tools *tool.Runner) {
	phones := http.NewServeMux()
	a.phone.Register(phones)
	failures, logins := limit.NewFailures(nil), auth.NewLogins(a.auth, a.origin)
	rest := api.New(api.Options{
		Store: a.store, Auth: a.auth, Logins: logins, Failures: failures, Logger: a.logger, PublicURL: a.origin, Version: apiVersion, Priced: a.bill.Knows,
		RateLimit: a.cfg.RateLimit, Limits: limit.New(limit.Options{Shared: a.store, Logger: a.logger}), Ring: a.ring, Tools: tools, Chat: a.chat, Calls: a.calls, Recordings: a.recordings,
		Numbers: number.New(number.Options{Store: a.store, Account: a.calls.Account, PublicURL: a.origin, APIURL: a.cfg.TwilioAPIURL, DefaultOrg: a.setup.org.ID, Logger: a.logger}),
	})
	proxies, _ := a.cfg.Proxies() // checked with the configuration
	a.server = server.New(server.Options{
		API: rest.Mux(), Phone: phones, Widget: a.wireWidget(), Pages: a.wirePages(logins, failures), Metrics: a.metrics, MetricsToken: a.cfg.MetricsToken, Proxies: proxies, Logger: a.logger,
		Page:  web.New(web.State{Origin: a.origin, Simulated: a.model != nil, VoiceAgentID: a.setup.voiceAgentID, ChatAgentID: a.setup.chatAgentID}),
		Ready: []server.Check{{Name: "database", Run: a.store.Ping}, {Name: "log", Run: a.checkLog}, {Name: "capacity", Run: a.checkCapacity}},
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
