package log_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// patience bounds every wait of these tests; it decides nothing but how long a failure takes.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

// house is a log on a fresh database with one agent.
type house struct {
	st    *store.Store
	bus   *event.Bus
	log   *log.Log
	agent parley.Agent
}

func newHouse(t testing.TB, st *store.Store) *house {
	t.Helper()
	h := &house{st: st, bus: event.NewBus()}
	h.log = log.New(st, h.bus, log.Options{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = h.log.Close(ctx) // tests that care close it themselves
	})
	h.agent = storetest.Agent(t, st, storetest.Organization(t, st).ID, parley.AgentVoice)
	return h
}

// open makes a conversation and returns its writer at epoch 1.
func (h *house) open(t testing.TB) (id string, w *log.Writer) {
	t.Helper()
	c := storetest.Conversation(t, h.st, h.agent)
	return c.ID, h.takeOver(t, c.ID)
}

func (h *house) takeOver(t testing.TB, id string) (w *log.Writer) {
	t.Helper()
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		epoch, last, err := tx.RaiseEpoch(ctx, h.agent.OrgID, id)
		w = h.log.Open(h.agent.OrgID, id, epoch, last)
		return err
	})
	return w
}

func (h *house) events(t testing.TB, id string) []parley.Event {
	t.Helper()
	events, err := h.st.ListEvents(t.Context(), h.agent.OrgID, id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
	}
	return events
}

func (h *house) close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.log.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func types(events []parley.Event) string {
	var s []string
	for _, e := range events {
		s = append(s, e.Type)
	}
	return strings.Join(s, " ")
}

func await(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("waited too long for %s", what)
	}
}

func TestEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, w := h.open(t)
		positions, cancel := h.bus.Subscribe(id)
		defer cancel()
		w.Fact("a", nil)
		w.Telemetry("b", nil)
		var seen string
		err := w.Intent(t.Context(), "c", parley.EndData{Reason: "x"}, func(ctx context.Context, tx *store.Tx) error {
			events, err := tx.ListEvents(ctx, h.agent.OrgID, id, 0, 0)
			seen = types(events)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if seen != "a b" {
			t.Errorf("the intent's function saw %q, want what was appended before", seen)
		}
		if got := types(h.events(t, id)); got != "a b c" {
			t.Errorf("after the intent the log is %q", got)
		}
		if got := <-positions; got != 3 {
			t.Errorf("published position %d, want 3", got)
		}
		w.Fact("d", parley.DTMFData{Digit: "#"})
		w.Close()
		w.Fact("late", nil)
		if err := w.Intent(t.Context(), "late", nil); !errors.Is(err, log.ErrClosed) {
			t.Errorf("intent after close: %v", err)
		}
		h.close(t)
		events := h.events(t, id)
		if got := types(events); got != "a b c d" {
			t.Errorf("after close the log is %q", got)
		}
		if string(events[3].Data) != `{"digit":"#"}` || time.Since(events[3].At) > patience {
			t.Errorf("event d = %+v", events[3])
		}
	})
}

func TestFactsAreCommittedWithoutBeingAskedFor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, w := h.open(t)
		positions, cancel := h.bus.Subscribe(id)
		defer cancel()
		for i := range int64(3) {
			w.Fact("fact", nil)
			select {
			case got := <-positions:
				if got != i+1 {
					t.Fatalf("position %d, want %d", got, i+1)
				}
			case <-time.After(patience):
				t.Fatal("a fact was not committed")
			}
		}
	})
}

func TestFailingIntentLeavesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, w := h.open(t)
		refused := errors.New("refused")
		also := map[string]func(context.Context, *store.Tx) error{
			"error": func(ctx context.Context, tx *store.Tx) error {
				if err := tx.SetSetting(ctx, "half", "made"); err != nil {
					return err
				}
				return refused
			},
			"conflict": func(ctx context.Context, tx *store.Tx) error {
				return tx.CreateOrganization(ctx, parley.Organization{ID: h.agent.OrgID, Name: "again"})
			},
			"broken foreign key": func(ctx context.Context, tx *store.Tx) error {
				return tx.CreateAPIKey(ctx, parley.NewID(), parley.APIKey{ID: parley.NewID()}, []byte("hash"))
			},
			"panic": func(context.Context, *store.Tx) error { panic("boom") },
		}
		for name, f := range also {
			w.Fact("before", nil)
			err := w.Intent(t.Context(), "intent", nil, f)
			if err == nil {
				t.Errorf("%s: the intent succeeded", name)
			}
			if name == "error" && !errors.Is(err, refused) {
				t.Errorf("%s: %v", name, err)
			}
			if name == "conflict" && !parley.IsConflict(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.Intent(t.Context(), "last", nil); err != nil {
			t.Fatal(err)
		}
		if got := types(h.events(t, id)); got != "before before before before last" {
			t.Errorf("log is %q", got)
		}
		if _, err := st.FindSetting(t.Context(), "half"); !parley.IsNotFound(err) {
			t.Errorf("the failed intent's write stayed: %v", err)
		}
	})
}

// Many conversations share a batch; two of them fail in different ways and must not disturb the rest.
func TestFencedAndRefusedConversationsFailAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		fencedID, fenced := h.open(t)
		h.takeOver(t, fencedID)
		ghost := h.log.Open(h.agent.OrgID, parley.NewID(), 1, 0) // a conversation that does not exist
		poisonID, poison := h.open(t)
		var wg sync.WaitGroup
		ids := make([]string, 20)
		for i := range ids {
			id, w := h.open(t)
			ids[i] = id
			wg.Go(func() {
				for range 10 {
					w.Fact("fact", nil)
					fenced.Fact("fact", nil)
					ghost.Fact("fact", nil)
					poison.Fact("nul\x00", nil) // no database text
				}
				if err := w.Intent(t.Context(), "intent", nil); err != nil {
					t.Errorf("healthy conversation: %v", err)
				}
			})
		}
		wg.Wait()
		for name, w := range map[string]*log.Writer{"fenced": fenced, "ghost": ghost} {
			await(t, name, w.Done())
			if !errors.Is(w.Err(), log.ErrFenced) || !errors.Is(w.Intent(t.Context(), "x", nil), log.ErrFenced) {
				t.Errorf("%s: %v", name, w.Err())
			}
		}
		await(t, "poisoned writer", poison.Done())
		if poison.Err() == nil || errors.Is(poison.Err(), log.ErrFenced) {
			t.Errorf("poisoned: %v", poison.Err())
		}
		for _, id := range ids {
			if n := len(h.events(t, id)); n != 11 {
				t.Errorf("healthy conversation has %d events", n)
			}
		}
		if len(h.events(t, fencedID))+len(h.events(t, poisonID)) != 0 {
			t.Error("a failed conversation has events")
		}
		if s := h.log.Stats(); s.Fenced != 2 || s.Lost == 0 || s.PendingBytes != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestBrokenTextOfAModelIsStored(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, w := h.open(t)
		w.Fact("tool", parley.ToolStartedData{Arguments: json.RawMessage("{\"x\":\"\xff\"}")})
		w.Fact("text", parley.DTMFData{Digit: "\x00\xff"})
		if err := w.Intent(t.Context(), "end", nil); err != nil {
			t.Fatal(err)
		}
		if events := h.events(t, id); len(events) != 3 || !json.Valid(events[0].Data) {
			t.Errorf("events %+v", events)
		}
	})
}

// At 5 facts a second, 200 conversations make 1000 events a second. One commit per event, or per conversation,
// would be too many for a disk that syncs.
func TestConversationsShareCommits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		const conversations, rounds = 200, 5
		writers := make([]*log.Writer, conversations)
		ids := make([]string, conversations)
		for i := range writers {
			ids[i], writers[i] = h.open(t)
		}
		begun := time.Now()
		before := st.Stats().Commits
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for range rounds {
			for _, w := range writers {
				w.Fact("fact", nil)
			}
			<-tick.C
		}
		h.close(t)
		// Every 50 ms at most one transaction that is due, and one for each 200 conversations that are full.
		most := int64(time.Since(begun)/(50*time.Millisecond)) + 2*rounds + 1
		if n := st.Stats().Commits - before; n > most || n < rounds {
			t.Errorf("%d events took %d transactions, want %d to %d", conversations*rounds, n, rounds, most)
		}
		for _, id := range ids {
			if n := len(h.events(t, id)); n != rounds {
				t.Fatalf("conversation has %d events", n)
			}
		}
	})
}

func TestSteadyFactsAreGrouped(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	_, w := h.open(t)
	before := h.st.Stats().Commits
	begun := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 150 {
		w.Fact("fact", nil)
		<-tick.C
	}
	h.close(t)
	if n, most := h.st.Stats().Commits-before, int64(time.Since(begun)/(50*time.Millisecond))+2; n > most {
		t.Errorf("%d transactions, want at most %d: the timer does not group", n, most)
	}
}

func TestOneOfTwoOwnersWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, _ := h.open(t)
		for range 5 {
			old, young := h.takeOver(t, id), h.takeOver(t, id)
			var errOld, errYoung error
			var wg sync.WaitGroup
			wg.Go(func() { errOld = old.Intent(t.Context(), "old", nil) })
			wg.Go(func() { errYoung = young.Intent(t.Context(), "young", nil) })
			wg.Wait()
			if !errors.Is(errOld, log.ErrFenced) || errYoung != nil {
				t.Fatalf("old: %v, young: %v", errOld, errYoung)
			}
		}
		if got := types(h.events(t, id)); got != "young young young young young" {
			t.Errorf("log is %q", got)
		}
	})
}
