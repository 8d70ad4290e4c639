package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/respond"
	"parley/internal/store"
)

// effect is what a write does inside its transaction. It may run twice (store.Write), so it must have no other
// effect. Its reply carries a note.
type effect[T any] func(ctx context.Context, tx *store.Tx) (reply[T], error)

// write mounts an operation whose whole effect is in the database. prepare checks the request without a
// transaction; what it returns runs in one, together with the audit entry and, for a POST, the claim and the
// answer of an Idempotency-Key: all of it is committed, or nothing.
func write[I, T any](a *API, o operation, prepare func(ctx context.Context, orgID string, in *I) (effect[T], error)) {
	mount(a, o, reflect.TypeFor[success[T]](), func(ctx context.Context, in *I) (*output, error) {
		do, refused := prepare(ctx, auth.Principal(ctx).OrgID, in)
		claim, err := a.claimOf(ctx, o, in)
		if err := cmp.Or(refused, err); err != nil {
			if out, ok := a.answered(ctx, claim); ok {
				return a.sends(o, out, true), nil
			}
			return nil, err
		}
		var last reply[T]
		out, replayed, err := a.commit(ctx, o, claim, func(ctx context.Context, tx *store.Tx) (rendered, []*note, error) {
			r, err := do(ctx, tx)
			if err != nil {
				return rendered{}, nil, err
			}
			last = r
			out, err := r.render()
			return out, append(r.notes, r.note), err
		})
		if err != nil {
			return nil, err
		}
		if !replayed && last.after != nil {
			last.after(ctx, &last)
			out = a.amend(ctx, o, claim, out, &last)
		}
		return a.sends(o, out, replayed), nil
	})
}

// amend is the answer with what was learned after the commit; it is kept for equal requests, too. Whoever repeats
// the request before that gets the answer as it was committed.
func (a *API) amend(ctx context.Context, o operation, claim *claim, out rendered, r interface{ render() (rendered, error) }) rendered {
	amended, err := r.render()
	if err == nil && claim != nil {
		orgID := auth.Principal(ctx).OrgID
		err = a.opt.Store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			return tx.AnswerIdempotency(ctx, orgID, claim.id, a.keep(orgID, claim, o.secret, amended))
		})
	}
	if err != nil {
		a.opt.Logger.LogAttrs(ctx, slog.LevelWarn, "amending an answer failed", slog.String("operation", o.id), slog.String("error", err.Error()))
	}
	if amended.body == nil {
		return out
	}
	return amended
}

// commit runs a write's transaction, or finds the answer that an equal request got.
func (a *API) commit(ctx context.Context, o operation, claim *claim, do func(context.Context, *store.Tx) (rendered, []*note, error)) (out rendered, replayed bool, err error) {
	orgID := auth.Principal(ctx).OrgID
	err = a.opt.Store.Write(ctx, func(tx *store.Tx) error {
		replayed = false
		if claim != nil {
			standing, mine, err := tx.ClaimIdempotency(ctx, orgID, claim.id, claim.row(o.secret, ""))
			if err != nil {
				return err
			}
			if !mine {
				replayed = true
				out, err = a.replay(orgID, claim, standing)
				return err
			}
		}
		var notes []*note
		var err error
		if out, notes, err = do(ctx, tx); err != nil {
			return err
		}
		if err := a.record(ctx, tx, orgID, notes); err != nil {
			return err
		}
		if claim == nil {
			return nil
		}
		return tx.AnswerIdempotency(ctx, orgID, claim.id, a.keep(orgID, claim, o.secret, out))
	})
	if err == nil && o.forgets {
		a.opt.Auth.Forget()
	}
	if err == nil && claim != nil {
		a.sweep(ctx)
	}
	return out, replayed, err
}

// note is what a write tells the audit log. before and after are the forms that clients see, nil for nothing.
type note struct {
	action        string // what was done, such as create; the resource's type goes before it
	resource      parley.AuditResource
	before, after any
}

// record writes the audit entries of a write, of which there is at least one.
func (a *API) record(ctx context.Context, tx *store.Tx, orgID string, notes []*note) error {
	notes = slices.DeleteFunc(notes, func(n *note) bool { return n == nil })
	if len(notes) == 0 {
		return fmt.Errorf("a write on %s left no note for the audit log", requestOf(ctx).Pattern)
	}
	for _, n := range notes {
		if err := a.recordOne(ctx, tx, orgID, n); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) recordOne(ctx context.Context, tx *store.Tx, orgID string, n *note) error {
	who := auth.Principal(ctx)
	actor := parley.AuditActor{Type: parley.ActorAPIKey, ID: who.KeyID, Name: who.KeyName}
	entry, err := parley.NewAuditEntry(actor, n.action, n.resource, n.before, n.after, a.instant())
	if err != nil {
		return err
	}
	entry.RequestID = respond.RequestID(ctx)
	if client := respond.Client(ctx); client.IsValid() {
		entry.Client = client.String()
	}
	return tx.AppendAudit(ctx, orgID, entry)
}

// instant is the present with the precision that the databases keep.
func (a *API) instant() time.Time { return a.now().UTC().Truncate(time.Microsecond) }

type requestKey struct{}

// withRequest puts the HTTP request into the context, for its path and headers.
func withRequest(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// requestOf returns the HTTP request of an operation.
func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}
