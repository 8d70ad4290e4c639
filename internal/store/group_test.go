package store

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"parley"
)

// gathering is a store whose writer is busy with a leader until the test lets it go on.
type gathering struct {
	t     *testing.T
	st    *Store
	calls sync.WaitGroup
}

func gather(t *testing.T) *gathering {
	t.Helper()
	st, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "parley.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &gathering{t: t, st: st}
}

// write calls Write on a goroutine of its own; what becomes of it stands in the result after calls.Wait.
func (g *gathering) write(ctx context.Context, key string, then func(tx *Tx) error) *outcome {
	o := &outcome{}
	g.calls.Go(func() {
		defer func() { o.panicked = recover() }()
		o.err = g.st.Write(ctx, func(tx *Tx) error {
			o.runs++
			if err := tx.SetSetting(ctx, key, "x"); err != nil {
				return err
			}
			return then(tx)
		})
	})
	return o
}

type outcome struct {
	err      error
	panicked any
	runs     int
}

// wait waits until so many writes wait behind the leader.
func (g *gathering) wait(n int) {
	for {
		g.st.group.mu.Lock()
		have := len(g.st.group.waiting)
		g.st.group.mu.Unlock()
		if have == n {
			return
		}
		runtime.Gosched()
	}
}

// has reports whether a write is there.
func (g *gathering) has(key string) bool {
	_, err := g.st.FindSetting(g.t.Context(), key)
	if err != nil && !parley.IsNotFound(err) {
		g.t.Error(err)
	}
	return err == nil
}

func nothing(*Tx) error { return nil }

func TestWritesThatWaitShareACommitAndNothingElse(t *testing.T) {
	t.Parallel()
	g, ctx := gather(t), t.Context()
	before := g.st.Stats().Commits
	leading, goOn := make(chan struct{}), make(chan struct{})
	leader := g.write(ctx, "leader", func(*Tx) error {
		select {
		case <-leading:
		default:
			close(leading)
		}
		<-goOn
		return nil
	})
	<-leading
	all := map[string]*outcome{"leader": leader}
	gone, leave := context.WithCancel(ctx)
	no := errors.New("no")
	for i, w := range []struct {
		key string
		ctx context.Context //nolint:containedctx // of the case
		fn  func(*Tx) error
	}{
		{"first", ctx, nothing},
		{"refused", ctx, func(*Tx) error { return no }},
		{"panics", ctx, func(*Tx) error { panic("at the disco") }},
		{"breaks", ctx, func(*Tx) error { return &brokenTx{no} }},
		{"left", gone, nothing},
		{"last", ctx, func(tx *Tx) error { _, err := tx.FindSetting(ctx, "first"); return err }},
	} {
		all[w.key] = g.write(w.ctx, w.key, w.fn)
		g.wait(i + 1)
	}
	leave()
	g.wait(5)
	close(goOn)
	g.calls.Wait()
	for key, want := range map[string]struct {
		err      error
		panicked any
		runs     int
		there    bool
	}{
		"leader": {nil, nil, 2, true}, "first": {nil, nil, 2, true}, "last": {nil, nil, 1, true}, // "breaks" made them run again
		"refused": {no, nil, 2, false}, "panics": {nil, "at the disco", 2, false}, "breaks": {no, nil, 1, false},
		"left": {context.Canceled, nil, 0, false},
	} {
		got := all[key]
		if !errors.Is(got.err, want.err) || (got.err == nil) != (want.err == nil) || got.panicked != want.panicked || got.runs != want.runs || g.has(key) != want.there {
			t.Errorf("%s: %+v, there %v; want %+v", key, got, g.has(key), want)
		}
	}
	if n := g.st.Stats().Commits - before; n != 1 {
		t.Errorf("%d commits", n)
	}
}

func TestLeaderThatEndsTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(leave func(), leader *outcome) func(*Tx) error{
		"its context ends": func(leave func(), _ *outcome) func(*Tx) error { return func(*Tx) error { leave(); return nil } },
		"and the other's error is not believed": func(leave func(), o *outcome) func(*Tx) error {
			return func(*Tx) error { leave(); return context.Canceled }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gather(t)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			leading, goOn := make(chan struct{}), make(chan struct{})
			leader := g.write(ctx, "leader", func(*Tx) error { close(leading); <-goOn; return nil })
			<-leading
			first := g.write(t.Context(), "first", nothing)
			g.wait(1)
			do, ends := end(leave, leader), 0
			second := g.write(t.Context(), "second", func(tx *Tx) error {
				if ends++; ends == 1 {
					return do(tx)
				}
				return nil
			})
			g.wait(2)
			close(goOn)
			g.calls.Wait()
			if !errors.Is(leader.err, context.Canceled) || g.has("leader") {
				t.Errorf("leader: %v, there %v", leader.err, g.has("leader"))
			}
			if first.err != nil || second.err != nil || !g.has("first") || !g.has("second") || second.runs != 2 {
				t.Errorf("first %+v, second %+v", first, second)
			}
		})
	}
}

func TestLeaderThatFailsOrPanicsPassesTheLead(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"fails": func() error { return errors.New("no") }, "panics": func() error { panic("at the disco") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gather(t)
			leading, goOn := make(chan struct{}), make(chan struct{})
			leader := g.write(t.Context(), "leader", func(*Tx) error { close(leading); <-goOn; return fail() })
			<-leading
			var others []*outcome
			for n := range 2*groupSize + 1 {
				others = append(others, g.write(t.Context(), string(rune('A'+n)), nothing))
			}
			g.wait(len(others))
			close(goOn)
			g.calls.Wait()
			if leader.err == nil && leader.panicked == nil || g.has("leader") {
				t.Errorf("leader %+v, there %v", leader, g.has("leader"))
			}
			for n, o := range others {
				if o.err != nil || o.runs != 1 || !g.has(string(rune('A'+n))) {
					t.Errorf("%d: %+v", n, o)
				}
			}
			if g.st.group.led || len(g.st.group.waiting) > 0 {
				t.Error("the lead was not given back")
			}
		})
	}
}

// TestUnknownCommitIsUnknownToAll: when the transaction is gone at its COMMIT, nobody is told that he was written.
func TestUnknownCommitIsUnknownToAll(t *testing.T) {
	t.Parallel()
	g := gather(t)
	leading, goOn := make(chan struct{}), make(chan struct{})
	leader := g.write(t.Context(), "leader", func(*Tx) error { close(leading); <-goOn; return nil })
	<-leading
	// A deferred foreign key that does not hold makes COMMIT fail, and only that.
	first := g.write(t.Context(), "first", func(tx *Tx) error {
		if _, err := tx.q.exec(t.Context(), `PRAGMA defer_foreign_keys = 1`); err != nil {
			return err
		}
		_, err := tx.q.exec(t.Context(), `INSERT INTO tally (org_id, what, shard, n) VALUES ('nobody', 'x', 0, 1)`)
		return err
	})
	g.wait(1)
	second := g.write(t.Context(), "second", nothing)
	g.wait(2)
	close(goOn)
	g.calls.Wait()
	for key, o := range map[string]*outcome{"leader": leader, "first": first, "second": second} {
		if !errors.Is(o.err, ErrCommitUnknown) || g.has(key) {
			t.Errorf("%s: %+v, there %v", key, o, g.has(key))
		}
	}
	if err := g.st.Write(t.Context(), func(tx *Tx) error { return tx.SetSetting(t.Context(), "after", "x") }); err != nil || !g.has("after") {
		t.Errorf("the next write: %v", err)
	}
}
