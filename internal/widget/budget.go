package widget

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"parley"
	"parley/internal/chat"
	"parley/internal/limit"
	"parley/internal/respond"
	"parley/internal/store"
)

// Budgets bound what visitors can cost. Those of a minute and of answers at once are counted by each process, those of a
// day in the database. 0 = no limit. An address is an IPv4 address or an IPv6 /64.
type Budgets struct {
	SessionsPerAddress int // in a minute
	MessagesPerAddress int // in a minute
	MessagesPerVisitor int // in a minute
	DailyPerAddress    int // messages of a UTC day, with one agent
	DailyPerVisitor    int // messages of a UTC day
	RunsPerAddress     int // answers being written at once
	RunsPerAgent       int // answers being written at once
}

// DefaultBudgets let people talk, and an office behind one address too.
var DefaultBudgets = Budgets{
	SessionsPerAddress: 300, MessagesPerAddress: 120, MessagesPerVisitor: 30,
	DailyPerAddress: 3_000, DailyPerVisitor: 500, RunsPerAddress: 30, RunsPerAgent: 500,
}

// streamsPerVisitor bounds how many streams of answers a visitor has open: tabs and reconnections.
const streamsPerVisitor = 10

// What a visitor reads. They can be shown as they are.
const (
	sayManySessions = "Too many chats were opened from your network. Please wait a minute and try again."
	sayTooFast      = "You are writing very fast. Please wait a moment and send your message again."
	sayManyMessages = "Too many messages came from your network. Please wait a minute and try again."
	sayVisitorDay   = "You have reached the limit of messages for today. Please come back tomorrow."
	sayAddressDay   = "Your network has reached the limit of messages for today. Please come back tomorrow."
	sayAgentDay     = "This chat has reached its limit of messages for today. Please come back tomorrow."
	sayBusy         = "Many people are chatting right now. Please try again in a moment."
	sayManyStreams  = "This chat is open too many times. Please close some of its windows."
)

func errBudget(reason, say string, retry time.Duration) error {
	return because(reason, respond.WithRetry(parley.Errorf(parley.CodeRateLimited, "%s", say), max(retry, time.Second)))
}

// perMinute takes one of a budget of a minute.
func (h *Handler) perMinute(ctx context.Context, most int, reason, say, key string) error {
	if most <= 0 {
		return nil
	}
	d, err := h.minutes.Take(ctx, reason+" "+key, most)
	if err != nil || d.Allowed {
		return err
	}
	return errBudget(reason, say, d.RetryAfter)
}

// address is how the client's address is counted.
func address(r *http.Request) string { return limit.Group(respond.Client(r.Context())).String() }

// mayOpen charges the opening of a session.
func (h *Handler) mayOpen(r *http.Request) error {
	return h.perMinute(r.Context(), h.opt.Budgets.SessionsPerAddress, "sessions_per_address", sayManySessions, address(r))
}

// maySpend charges a message to the budgets of a minute and takes a place for its answer. The place must be given back.
func (h *Handler) maySpend(r *http.Request, g guest) (release func(), err error) {
	b, ctx := h.opt.Budgets, r.Context()
	if err := h.perMinute(ctx, b.MessagesPerVisitor, "messages_per_visitor", sayTooFast, g.VisitorID); err != nil {
		return nil, err
	}
	if err := h.perMinute(ctx, b.MessagesPerAddress, "messages_per_address", sayManyMessages, address(r)); err != nil {
		return nil, err
	}
	reason, release := h.busy.enter(
		place{"runs_per_address", address(r), b.RunsPerAddress},
		place{"runs_per_agent", g.AgentID, b.RunsPerAgent},
	)
	if reason != "" {
		return nil, errBudget(reason, sayBusy, 5*time.Second)
	}
	return release, nil
}

// until gives a place back when the answer is written. The goroutine ends with the run, which has its own deadline.
func until(run *chat.Run, release func()) {
	go func() {
		<-run.Done()
		release()
	}()
}

// claim counts a message to the budgets of the day, in the transaction that accepts it: what is refused was not counted,
// and what was counted is answered.
func (h *Handler) claim(r *http.Request, g guest) func(context.Context, *store.Tx, string) error {
	now := h.now().UTC()
	midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	b := h.opt.Budgets
	type budget struct {
		who, reason, say string
		most             int
	}
	var all []budget
	if b.DailyPerVisitor > 0 {
		all = append(all, budget{"v " + g.VisitorID, "daily_per_visitor", sayVisitorDay, b.DailyPerVisitor})
	}
	if b.DailyPerAddress > 0 {
		all = append(all, budget{"a " + h.hidden(limit.Group(respond.Client(r.Context())), store.Day(now)), "daily_per_address", sayAddressDay, b.DailyPerAddress})
	}
	if most := g.Agent.Chat.DailyMessageLimit; most != nil && g.Page != string(PurposeTry) {
		all = append(all, budget{"", "daily_per_agent", sayAgentDay, *most}) // last: its row is everybody's
	}
	return func(ctx context.Context, tx *store.Tx, _ string) error {
		who := make([]string, len(all))
		for i, b := range all {
			who[i] = b.who
		}
		counts, err := tx.CountMessages(ctx, g.OrgID, g.AgentID, store.Day(now), who...)
		if err != nil {
			return err
		}
		for i, b := range all {
			if counts[i] > b.most {
				return errBudget(b.reason, b.say, midnight.Sub(now))
			}
		}
		return nil
	}
}

// hidden stands for an address in the counts of a day: addresses are personal data, and whoever has the database alone
// cannot turn it back.
func (h *Handler) hidden(a netip.Addr, day int64) string {
	mac := hmac.New(sha256.New, h.key)
	text, _ := a.MarshalText() // only a wrong zone fails, and then the empty text stands for it
	mac.Write(text)
	var d [8]byte
	for i := range d {
		d[i] = byte(day >> (8 * i))
	}
	mac.Write(d[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// occupancy counts what is under way by key. Safe for concurrent use.
type occupancy struct {
	mu   sync.Mutex
	keys map[string]int
}

func newOccupancy() *occupancy { return &occupancy{keys: map[string]int{}} }

// place is one of at most so many for a key; 0 = any number.
type place struct {
	reason, key string
	most        int
}

// enter takes all places or none, and says for want of which. release gives them back, once.
func (o *occupancy) enter(places ...place) (reason string, release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range places {
		most := p.most
		if most <= 0 {
			most = math.MaxInt
		}
		if o.keys[p.reason+" "+p.key] >= most {
			return p.reason, nil
		}
	}
	for _, p := range places {
		o.keys[p.reason+" "+p.key]++
	}
	return "", func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, p := range places {
			key := p.reason + " " + p.key
			if o.keys[key]--; o.keys[key] <= 0 {
				delete(o.keys, key)
			}
		}
	}
}
