package call

import (
	"context"
	"testing"
	"time"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// shift makes what the loop cap looks at older.
func (d *desk) shift(by time.Duration) {
	d.t.Helper()
	c := d.call()
	for i := range c.RecentResumes {
		c.RecentResumes[i] = c.RecentResumes[i].Add(-by)
	}
	c.UpdatedAt = c.UpdatedAt.Add(-by)
	epoch, _, err := d.st.FindPosition(d.t.Context(), c.OrgID, c.ID)
	ok(d.t, err)
	storetest.Write(d.t, d.st, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SetResumes(ctx, c.OrgID, c); err != nil {
			return err
		}
		if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil || c.TokenUntil.IsZero() {
			return err
		}
		return tx.SetStreamToken(ctx, c.OrgID, c.ID, secret.HashToken(d.token(c.ID, epoch)), c.TokenUntil.Add(-by))
	})
}

// again loses the stream and attaches the next one.
func (d *desk) again(a *Attachment, stream string) *Attachment {
	d.t.Helper()
	ok(d.t, d.Detach(d.t.Context(), a))
	return d.attach(d.resume().Ticket.Token, stream)
}

// TestThreeResumesInAMinute: the fourth within it is a notice, and stays one.
func TestThreeResumesInAMinute(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ0")
		for n := 1; n <= 2*maxResumes; n++ { // half of them long ago
			if n == maxResumes+1 {
				d.shift(resumeWindow)
			}
			if a = d.again(a, "MZ"+string(rune('0'+n))); a.Call.Resumes != n {
				t.Errorf("resumes %d, want %d", a.Call.Resumes, n)
			}
		}
		ok(t, d.Detach(t.Context(), a))
		for range 2 {
			if next := d.resume(); next.Intent != parley.IntentNotice || next.Ticket.Token != "" {
				t.Errorf("after %d resumes: %+v", maxResumes, next)
			}
			d.shift(resumeWindow)
		}
		d.reconcile(t.Context(), time.Now().Add(detachedLife+time.Second))
		d.want(parley.CallEnded, parley.EndCarrierLost)
	})
}

// TestStreamsWithoutMedia: two in a row end the attempts; one with media starts the count anew.
func TestStreamsWithoutMedia(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ0")
		for n, media := range []bool{false, true, false} {
			a.HadMedia = func() bool { return media }
			if n == 2 {
				d.shift(resumeWindow)
			}
			a = d.again(a, "MZ"+string(rune('1'+n)))
		}
		a.HadMedia = func() bool { return false }
		ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup)) // with a stop, this time
		if next := d.resume(); next.Intent != parley.IntentNotice {
			t.Errorf("after two streams without media: %+v", next)
		}
	})
}

// TestStreamThatCannotBeOpened: the carrier asks again, because its sockets never reach us.
func TestStreamThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		first := d.begin()
		if next := d.resume(); next.Ticket.Token != first.Token { // at once: the same request again
			t.Fatalf("next %+v", next)
		}
		for range maxEmptyStreams - 1 {
			d.shift(repeatTime)
			if next := d.resume(); next.Intent != parley.IntentNone {
				t.Fatalf("next %+v", next)
			}
		}
		d.shift(repeatTime)
		if next := d.resume(); next.Intent != parley.IntentNotice {
			t.Errorf("after %d streams: %+v", maxEmptyStreams, next)
		}
	})
}

// TestRacingResumes: the verb after the stream, its retries and the fallback URL may all ask at once, about a call that
// is detached or that we took for ended. There is one answer and one stream.
func TestRacingResumes(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(d *desk, a *Attachment) error{
		"detached":    func(d *desk, a *Attachment) error { return d.Detach(d.t.Context(), a) },
		"ended":       func(d *desk, a *Attachment) error { return d.Finish(d.t.Context(), a, parley.EndCallerHangup) },
		"not noticed": func(*desk, *Attachment) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, st *store.Store) {
				d := newDesk(t, st)
				old := d.attach(d.begin().Token, "MZ0")
				ok(t, lose(d, old))
				c := d.call()
				all := together(6, func() (Next, error) { return d.Resume(t.Context(), c) }, t.Error)
				for _, next := range all {
					if next != all[0] || next.Intent != parley.IntentNone || next.Ticket.Token == "" {
						t.Fatalf("answers %+v", all)
					}
				}
				a := d.attach(all[3].Ticket.Token, "MZ1")
				late, err := d.Resume(t.Context(), c) // a request that was slow
				if err != nil || late.Intent != parley.IntentNone {
					t.Errorf("late: %+v, %v", late, err)
				}
				d.want(parley.CallLive, "")
				ok(t, a.Writer.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "1"}))
				if got := d.call(); len(got.RecentResumes) > 2 || got.EmptyStreams != 0 {
					t.Errorf("the requests were counted: %+v", got)
				}
				ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup))
			})
		})
	}
}
