package log

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
)

// try writes a batch in one transaction.
func (l *Log) try(batch []*work) error {
	ctx, cancel := context.WithTimeout(l.ctx, commitTimeout)
	defer cancel()
	return l.st.Write(ctx, func(tx *store.Tx) error {
		for _, k := range batch {
			k.err = nil
			err := l.apply(ctx, tx, k)
			if errors.Is(err, ErrFenced) {
				k.err = err // its part wrote nothing; the others go on
				continue
			}
			if err != nil {
				if !store.IsBroken(err) && store.IsPermanent(err) {
					k.err = err
				}
				return err
			}
		}
		return l.notify(ctx, tx, batch)
	})
}

// notify tells other processes of what is committed with tx.
func (l *Log) notify(ctx context.Context, tx *store.Tx, batch []*work) error {
	if !l.st.Shared() {
		return nil
	}
	positions := make([]event.Position, 0, len(batch))
	for _, k := range batch {
		if k.err == nil && k.changed {
			positions = append(positions, event.Position{ConversationID: k.w.id, Seq: k.lastSeq})
		}
	}
	return l.bus.Notify(ctx, tx, positions...)
}

// apply writes one writer's entries in order, numbering them as it goes.
func (l *Log) apply(ctx context.Context, tx *store.Tx, k *work) error {
	k.lastSeq, k.last, k.refused, k.changed = k.w.lastSeq, parley.Event{}, nil, false
	events := make([]parley.Event, 0, len(k.entries))
	flush := func() error {
		if len(events) == 0 {
			return nil
		}
		if err := tx.AppendEvents(ctx, k.w.orgID, k.w.id, k.w.epoch, events); err != nil {
			return err
		}
		k.last = events[len(events)-1]
		k.lastSeq, k.changed = k.last.Seq, true
		events = events[:0]
		return nil
	}
	for _, e := range k.entries {
		if l.isAbandoned(e) {
			continue
		}
		if e.along != nil {
			if err := runAlso(ctx, tx, []func(context.Context, *store.Tx) error{e.along}); err != nil {
				return err
			}
			k.changed = true
			continue
		}
		ev := e.event
		ev.Seq = k.lastSeq + int64(len(events)) + 1
		if len(e.also) == 0 {
			events = append(events, ev)
			continue
		}
		// What was said before stands in the log before the functions read it.
		if err := flush(); err != nil {
			return err
		}
		err := tx.Savepoint(ctx, func() error {
			if err := runAlso(ctx, tx, e.also); err != nil {
				return err
			}
			events = append(events, ev)
			return flush()
		})
		switch {
		case err == nil:
			continue
		case errors.Is(err, ErrFenced) || store.IsBroken(err):
			return err
		}
		events = events[:0]
		if k.refused == nil {
			k.refused = map[*entry]error{}
		}
		k.refused[e] = err
	}
	return flush()
}

// runAlso runs an intent's functions. They are other packages' code on the goroutine that every conversation
// needs: a panic fails the intent alone.
func runAlso(ctx context.Context, tx *store.Tx, also []func(context.Context, *store.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in an intent's transaction: %v\n%s", p, debug.Stack())
		}
	}()
	for _, f := range also {
		if err := f(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) isAbandoned(e *entry) bool {
	if e.committed == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.abandoned
}
