package log_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// cutter stands between the store and PostgreSQL and breaks connections at a COMMIT, before or after the server
// got it. Afterwards the store cannot know what became of the transaction.
type cutter struct {
	listener net.Listener
	server   string
	before   atomic.Int32 // commits to break before the server sees them
	after    atomic.Int32 // commits to break after the server has answered
	cuts     atomic.Int32
	wg       sync.WaitGroup
}

func newCutter(t *testing.T, address string) (c *cutter, through string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = &cutter{listener: listener, server: u.Host}
	u.Host = listener.Addr().String()
	c.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.serve(client) })
		}
	})
	return c, u.String()
}

func (c *cutter) close() {
	_ = c.listener.Close()
	c.wg.Wait()
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{Timeout: patience}).Dial("tcp", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	c.wg.Go(func() { // server → client
		defer client.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || mute.Load() {
				return // a muted answer has arrived, so the server has done the work
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit")) {
			if take(&c.before) {
				c.cuts.Add(1)
				return
			}
			if take(&c.after) {
				c.cuts.Add(1)
				mute.Store(true)
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

func take(n *atomic.Int32) bool {
	for {
		have := n.Load()
		if have <= 0 {
			return false
		}
		if n.CompareAndSwap(have, have-1) {
			return true
		}
	}
}

func TestLostAnswerToACommitNeitherLosesNorDoubles(t *testing.T) {
	t.Parallel()
	c, through := newCutter(t, storetest.PostgresURL(t))
	t.Cleanup(c.close)
	st, err := store.Open(t.Context(), store.Options{URL: through})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := newHouse(t, st)
	id, w := h.open(t)
	otherID, other := h.open(t)
	const rounds = 4
	for i := range rounds {
		for _, cut := range []*atomic.Int32{&c.before, &c.after} {
			cut.Store(1)
			w.Fact("fact", parley.DTMFData{Digit: fmt.Sprint(i)})
			other.Fact("fact", nil)
			err := w.Intent(t.Context(), "intent", nil, func(ctx context.Context, tx *store.Tx) error {
				return tx.SetSetting(ctx, fmt.Sprintf("%d%v", i, cut == &c.after), "x")
			})
			if err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
		}
	}
	h.close(t)
	if got := c.cuts.Load(); got != 2*rounds {
		t.Errorf("%d commits were cut, want %d", got, 2*rounds)
	}
	if n := len(h.events(t, id)); n != 4*rounds {
		t.Errorf("%d events, want %d", n, 4*rounds)
	}
	if n := len(h.events(t, otherID)); n != 2*rounds {
		t.Errorf("%d events of the other conversation, want %d", n, 2*rounds)
	}
	if s := h.log.Stats(); s.Fenced != 0 || s.Lost != 0 || s.Retries == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestRestartOfTheDatabaseIsSurvived(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := newHouse(t, st)
	admin, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	ids := make([]string, 4)
	var wg sync.WaitGroup
	for i := range ids {
		id, w := h.open(t)
		ids[i] = id
		wg.Go(func() {
			for n := range 60 {
				w.Fact("fact", nil)
				if n%3 == 0 {
					if err := w.Intent(t.Context(), "intent", nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			// Every connection but this one is ended, wherever it is in its transaction.
			_, err := admin.ExecContext(t.Context(),
				`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
			if err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	h.close(t)
	for _, id := range ids {
		if n := len(h.events(t, id)); n != 80 {
			t.Errorf("%d events, want 80", n)
		}
	}
	if s := h.log.Stats(); s.Fenced != 0 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}
