package log

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"parley"
	"parley/internal/store"
)

// work is the pending entries of one writer, on their way into one transaction.
type work struct {
	w       *Writer
	entries []*entry

	// results of the last attempt
	lastSeq int64
	last    parley.Event     // the newest event appended, Seq 0 when none was
	changed bool             // something was written
	refused map[*entry]error // intents whose own functions failed
	err     error            // the writer as a whole: fenced, or a permanent error of the database
	known   bool             // that it is fenced was reported before
}

// run is the committer: one transaction for all conversations, 50 ms after the first event, at 256 rows, or at
// once when an intent waits.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, idle := l.next()
		switch {
		case idle && l.end():
			return
		case idle:
			<-l.wake
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-l.wake:
			}
		default:
			l.commit(l.take())
		}
	}
}

// next says how long the pending entries may wait; idle when there are none.
func (l *Log) next() (wait time.Duration, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.dirty) == 0:
		return 0, true
	case l.intents > 0 || l.rows >= commitRows || l.closing:
		return 0, false
	}
	return time.Until(l.due), false
}

// end closes the queue when the log is being closed and nothing is pending.
func (l *Log) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = l.closing && len(l.dirty) == 0
	return l.ended
}

// take removes what is pending, up to the rows of one transaction. Under load, conversations in which somebody
// waits come first.
func (l *Log) take() (batch []*work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows > commitRows && l.intents > 0 {
		slices.SortStableFunc(l.dirty, func(a, b *Writer) int { return min(b.intents, 1) - min(a.intents, 1) })
	}
	room := commitRows
	for len(l.dirty) > 0 && room > 0 && len(batch) < commitConversations {
		w := l.dirty[0]
		l.dirty[0] = nil // the array behind lives on: it must not keep what belonged to an ended conversation
		l.dirty = l.dirty[1:]
		n := min(room, len(w.pending))
		batch = append(batch, &work{w: w, entries: w.pending[:n:n]})
		w.pending = w.pending[n:]
		room -= n
		if len(w.pending) > 0 { // the transaction is full
			l.dirty = append(l.dirty, w)
		} else {
			w.pending = nil
		}
	}
	for _, k := range batch {
		for _, e := range k.entries {
			if e.committed != nil {
				k.w.intents--
				l.intents--
			}
		}
	}
	l.rows -= commitRows - room
	l.due = time.Time{} // what is left is due now
	return batch
}

// commit applies a batch, again and again while the database cannot take it: facts are never dropped. A writer
// whose part can never be applied is failed alone and does not hold up the others.
func (l *Log) commit(batch []*work) {
	pause := retryMin
	for len(batch) > 0 {
		err := l.try(batch)
		if errors.Is(err, store.ErrCommitUnknown) && l.wasApplied(batch) {
			err = nil
		}
		if err == nil {
			l.finish(batch)
			return
		}
		if i := slices.IndexFunc(batch, func(k *work) bool { return k.err != nil && !errors.Is(k.err, ErrFenced) }); i >= 0 {
			l.finish(batch[i : i+1])
			batch = slices.Delete(batch, i, i+1)
			continue
		}
		if l.ctx.Err() != nil {
			for _, k := range batch {
				k.err = errors.Join(ErrClosed, err)
			}
			l.finish(batch)
			return
		}
		l.logger.Error("events not committed, trying again", slog.Any("error", err), slog.Int("conversations", len(batch)))
		l.mu.Lock()
		l.stats.Retries++
		l.mu.Unlock()
		l.sleep(pause)
		pause = min(2*pause, retryMax)
	}
}

// sleep waits, or until the log gives up.
func (l *Log) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
	}
}

// wasApplied answers whether a transaction whose COMMIT failed was applied after all, which a lost connection
// leaves open: without this, the next attempt would find its own events and take them for another owner's. All
// parts share one transaction, so the first event that can be looked up decides.
func (l *Log) wasApplied(batch []*work) bool {
	pause := retryMin
	for _, k := range batch {
		for k.err == nil && k.last.Seq > 0 {
			applied, err := l.isStored(k)
			if err == nil {
				return applied
			}
			if l.ctx.Err() != nil {
				return false
			}
			l.logger.Error("outcome of a commit unknown, asking again", slog.Any("error", err))
			l.sleep(pause)
			pause = min(2*pause, retryMax)
		}
	}
	return false
}

// isStored looks for the newest event of a part. Finding the conversation first locks its row and so waits for
// a commit that is still under way.
func (l *Log) isStored(k *work) (stored bool, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, commitTimeout)
	defer cancel()
	err = l.st.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.FindConversation(ctx, k.w.orgID, k.w.id)
		if parley.IsNotFound(err) {
			return nil // it was made in the same transaction
		}
		if err != nil {
			return err
		}
		found, err := tx.ListEvents(ctx, k.w.orgID, k.w.id, k.last.Seq-1, 1)
		stored = len(found) == 1 && found[0].Type == k.last.Type && found[0].At.UnixMicro() == k.last.At.UnixMicro() &&
			bytes.Equal(found[0].Data, k.last.Data)
		return err
	})
	return stored, err
}

// finish books the outcome, wakes the waiters and publishes.
func (l *Log) finish(batch []*work) {
	l.book(batch)
	for _, k := range batch {
		for _, e := range k.entries {
			if e.committed == nil {
				continue
			}
			err := k.err
			if err == nil {
				err = k.refused[e]
			}
			e.committed <- err
		}
		switch {
		case k.known:
		case errors.Is(k.err, ErrFenced):
			l.logger.Warn("another process owns the conversation", slog.String("org_id", k.w.orgID), slog.String("conversation_id", k.w.id))
		case k.err != nil:
			l.logger.Error("events lost", slog.Any("error", k.err), slog.Int("events", len(k.entries)),
				slog.String("org_id", k.w.orgID), slog.String("conversation_id", k.w.id))
		case k.changed:
			l.bus.Publish(k.w.id, k.lastSeq)
		}
	}
}

func (l *Log) book(batch []*work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Commits++
	oldest := time.Now()
	for _, k := range batch {
		size := 0
		for _, e := range k.entries {
			size += e.size
			if e.event.At.Before(oldest) {
				oldest = e.event.At
			}
		}
		k.w.bytes -= size
		l.bytes -= size
		if k.err == nil {
			l.stats.Rows += k.lastSeq - k.w.lastSeq
			k.w.lastSeq = k.lastSeq
			continue
		}
		switch {
		case !errors.Is(k.err, ErrFenced):
			l.stats.Lost += int64(len(k.entries))
		case errors.Is(k.w.dead, ErrFenced): // entries that were in the queue when it happened
			k.known = true
		default:
			l.stats.Fenced++
		}
		k.w.fail(k.err)
	}
	l.stats.LastWait = time.Since(oldest)
	l.stats.MaxWait = max(l.stats.MaxWait, l.stats.LastWait)
}
