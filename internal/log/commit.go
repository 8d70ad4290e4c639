package log

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley"
	"parley/internal/store"
)

// work is the pending entries of one writer, on their way into one transaction.
type work struct {
	w       *Writer
	entries []*entry
	// results of the transaction
	lastSeq int64
	errs    map[*entry]error // intents whose own functions failed
	err     error            // the writer as a whole: fenced, or a permanent error of the database
}

// run is the committer: one transaction for all conversations, every 50 ms, at 256 rows, or at once when an
// intent waits.
func (l *Log) run() {
	defer close(l.done)
	for {
		batch, closing := l.take()
		if len(batch) == 0 {
			if closing {
				return
			}
			<-l.wake
			continue
		}
		l.commit(batch)
	}
}

// take removes what is pending, up to the rows of one transaction.
func (l *Log) take() (batch []*work, closing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	room := commitRows
	for len(l.dirty) > 0 && room > 0 {
		w := l.dirty[0]
		n := min(room, len(w.pending))
		batch = append(batch, &work{w: w, entries: w.pending[:n:n]})
		w.pending = w.pending[n:]
		room -= n
		if len(w.pending) > 0 {
			break // the transaction is full; the rest of this writer comes first next time
		}
		l.dirty = l.dirty[1:]
	}
	l.rows -= commitRows - room
	return batch, l.closing
}

// commit applies a batch, again and again while the database cannot take it: facts are never dropped. A writer
// whose part can never be applied is failed alone and does not hold up the others.
func (l *Log) commit(batch []*work) {
	pause := retryMin
	for len(batch) > 0 {
		err := l.try(batch)
		if err == nil {
			l.finish(batch)
			return
		}
		if culprit := permanent(batch); culprit != nil {
			l.finish([]*work{culprit})
			batch = without(batch, culprit)
			continue
		}
		l.opt.Logger.Error("conversation events not committed, trying again", slog.Any("error", err), slog.Int("conversations", len(batch)))
		if l.givenUp() {
			for _, k := range batch {
				k.err = err
			}
			l.finish(batch)
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, retryMax)
	}
}

// givenUp reports whether the log is being closed: then a database that is down is not waited for.
func (l *Log) givenUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

func permanent(batch []*work) *work {
	for _, k := range batch {
		if k.err != nil && !errors.Is(k.err, store.ErrFenced) {
			return k
		}
	}
	return nil
}

func without(batch []*work, gone *work) []*work {
	rest := batch[:0:0]
	for _, k := range batch {
		if k != gone {
			rest = append(rest, k)
		}
	}
	return rest
}

func (l *Log) try(batch []*work) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	return l.st.Write(ctx, func(tx *store.Tx) error {
		for _, k := range batch {
			k.errs, k.err = nil, nil
			err := l.apply(ctx, tx, k)
			switch {
			case errors.Is(err, store.ErrFenced):
				k.err = err // its part wrote nothing; the others go on
			case err != nil && store.IsPermanent(err):
				k.err = err
				return err
			case err != nil:
				return err
			}
		}
		return nil
	})
}

// apply writes one writer's entries in order, numbering them as it goes.
func (l *Log) apply(ctx context.Context, tx *store.Tx, k *work) error {
	k.lastSeq = k.w.lastSeq
	var events []parley.Event
	flush := func() error {
		err := tx.AppendEvents(ctx, k.w.orgID, k.w.id, k.w.epoch, events)
		if err == nil {
			k.lastSeq += int64(len(events))
			events = events[:0]
		}
		return err
	}
	for _, e := range k.entries {
		if l.isAbandoned(e) {
			continue
		}
		if len(e.also) == 0 {
			ev := e.event
			ev.Seq = k.lastSeq + int64(len(events)) + 1
			events = append(events, ev)
			continue
		}
		// What was said before stands in the log before the functions read it.
		if err := flush(); err != nil {
			return err
		}
		ev := e.event
		ev.Seq = k.lastSeq + 1
		err := tx.Savepoint(ctx, func() error {
			for _, f := range e.also {
				if err := f(ctx, tx); err != nil {
					return err
				}
			}
			return tx.AppendEvents(ctx, k.w.orgID, k.w.id, k.w.epoch, []parley.Event{ev})
		})
		switch {
		case err == nil:
			k.lastSeq++
		case errors.Is(err, store.ErrFenced) || store.IsBroken(err):
			return err
		default:
			if k.errs == nil {
				k.errs = map[*entry]error{}
			}
			k.errs[e] = err
		}
	}
	return flush()
}

func (l *Log) isAbandoned(e *entry) bool {
	if e.committed == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.abandoned
}

// finish books the outcome, wakes the waiters and publishes.
func (l *Log) finish(batch []*work) {
	l.mu.Lock()
	l.stats.Commits++
	for _, k := range batch {
		size := 0
		for _, e := range k.entries {
			size += e.size
		}
		k.w.bytes -= size
		l.bytes -= size
		if k.err == nil {
			k.w.lastSeq = k.lastSeq
			l.stats.Rows += int64(len(k.entries))
			continue
		}
		if errors.Is(k.err, store.ErrFenced) {
			l.stats.Fenced++
		}
		k.w.fail(k.err)
	}
	l.mu.Unlock()
	for _, k := range batch {
		for _, e := range k.entries {
			if e.committed == nil {
				continue
			}
			err := k.err
			if err == nil {
				err = k.errs[e]
			}
			e.committed <- err
		}
		if k.err == nil {
			l.bus.Publish(k.w.id, k.lastSeq)
		}
	}
}
