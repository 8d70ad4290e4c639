package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/respond"
	"parley/internal/store"
)

// Idempotency-Key (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/): a client that
// does not know whether its POST arrived sends it again with the same key, and gets the answer of the first.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
	maxKey         = 255
	keyKept        = 24 * time.Hour
	sweepEvery     = time.Minute
)

var idempotencyParameter = &huma.Param{
	Name: headerKey, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(maxKey), Pattern: keyPattern},
	Description: "Makes the request safe to repeat for 24 hours: the same key and body get the same answer, marked by " +
		"Idempotency-Replayed, and nothing is done twice. Another body with the same key is refused with 422. Use a new UUID for each intent.",
	Example: "8e03978e-40d5-43e8-bc93-6894a57f9324",
}

// keyed reports whether the operation takes an Idempotency-Key: every POST that creates.
func (o operation) keyed() bool { return o.method == http.MethodPost && !o.repeatable }

// claim is a request's Idempotency-Key.
type claim struct {
	id          store.IdempotencyID
	fingerprint []byte
	now         time.Time
}

// row is what is stored of it.
func (c *claim) row(sealed bool, runID string) store.Claim {
	return store.Claim{Fingerprint: c.fingerprint, RunID: runID, Sealed: sealed, ExpiresAt: c.now.Add(keyKept)}
}

// claimOf reads the key of a request, nil when it has none. The fingerprint covers the path, since a key is
// scoped by route, and the body, whatever its white space and order of members. Where the answer shows a secret it
// covers the asking API key, too: another key may have fewer rights than the one that was shown the secret.
func (a *API) claimOf(ctx context.Context, o operation, in any) (*claim, error) {
	r := requestOf(ctx)
	values := r.Header.Values(headerKey)
	if !o.keyed() || len(values) == 0 {
		return nil, nil
	}
	key, ok := idempotencyKey(values)
	if !ok {
		return nil, parley.Invalid([]parley.FieldError{{Field: headerKey, Message: fmt.Sprintf("must be sent once, with 1 to %d printable ASCII characters without spaces.", maxKey)}})
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s\n", r.URL.Path)
	if o.secret {
		_, _ = fmt.Fprintf(sum, "%s\n", auth.Principal(ctx).KeyID)
	}
	if b, ok := in.(interface{ raw() []byte }); ok {
		if _, err := parley.ParseInput(b.raw()); err != nil { // what is ambiguous must equal nothing
			return nil, err
		}
		body, err := canonical(b.raw())
		if err != nil {
			return nil, err
		}
		_, _ = sum.Write(body)
	}
	return &claim{id: store.IdempotencyID{Method: o.method, Route: o.path, Key: key}, fingerprint: sum.Sum(nil), now: a.instant()}, nil
}

// keyPattern is what may be sent: the bare value, or the quoted string of the draft (a structured field, RFC 8941).
const keyPattern = `^"?[\x21\x23-\x7E][\x21-\x7E]*$`

var keyText = regexp.MustCompile(keyPattern)

// idempotencyKey is the value without the quotes.
func idempotencyKey(values []string) (string, bool) {
	key := strings.TrimSpace(values[0])
	ok := len(values) == 1 && len(key) <= maxKey && keyText.MatchString(key)
	if ok && len(key) > 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	return key, ok
}

// canonical writes a JSON body, which was checked before, with sorted members and without white space.
func canonical(body []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading the body again: %w", err)
	}
	return json.Marshal(v)
}

// errOtherBody is the answer to a key that was used for something else.
func errOtherBody() error {
	return respond.WithStatus(parley.Errorf(parley.CodeInvalid,
		"This Idempotency-Key was used for another request. Send the same body again, or a new key."), http.StatusUnprocessableEntity)
}

// keep is the answer as it is stored: its ETag, a line end and its body, byte by byte, sealed when it shows a
// secret.
func (a *API) keep(orgID string, c *claim, secret bool, out rendered) []byte {
	answer := append([]byte(out.etag+"\n"), out.body...)
	if secret {
		return a.opt.Ring.Seal(c.aad(orgID), answer)
	}
	return answer
}

// aad binds a sealed answer to its row.
func (c *claim) aad(orgID string) string {
	return store.IdempotencyAAD(orgID, c.id)
}

// replay is the answer that an equal request got.
func (a *API) replay(orgID string, c *claim, standing store.Claim) (out rendered, err error) {
	if !standing.Same(c.fingerprint) {
		return out, errOtherBody()
	}
	answer := standing.Answer
	if standing.Sealed {
		if answer, err = a.opt.Ring.Open(c.aad(orgID), answer); err != nil {
			return out, fmt.Errorf("opening a kept answer: %w", err)
		}
	}
	etag, body, _ := bytes.Cut(answer, []byte("\n"))
	return rendered{body: body, etag: string(etag)}, nil
}

// answered is the answer that an equal request got, if any. It is for a request that would be refused by now, such
// as for a time that has passed meanwhile: an equal request has an equal answer.
func (a *API) answered(ctx context.Context, c *claim) (rendered, bool) {
	if c == nil {
		return rendered{}, false
	}
	orgID := auth.Principal(ctx).OrgID
	standing, err := a.opt.Store.FindIdempotency(ctx, orgID, c.id)
	if err != nil || !standing.ExpiresAt.After(c.now) || !standing.Same(c.fingerprint) {
		return rendered{}, false
	}
	out, err := a.replay(orgID, c, standing)
	return out, err == nil
}

// sweep deletes expired claims, at most once a minute, by the way of a request that uses one: where nobody uses
// keys, none pile up. While more have expired than one sweep deletes, the next such request sweeps, too: claims are
// deleted faster than they are made.
func (a *API) sweep(ctx context.Context) {
	now := a.instant()
	last := a.swept.Load()
	if now.UnixMicro()-last < sweepEvery.Microseconds() || !a.swept.CompareAndSwap(last, now.UnixMicro()) {
		return
	}
	var deleted int64
	err := a.opt.Store.Write(ctx, func(tx *store.Tx) (err error) {
		deleted, err = tx.SweepIdempotency(ctx, now)
		return err
	})
	if err == nil && deleted >= store.SweepAtOnce {
		a.swept.Store(last)
	}
	if err != nil && ctx.Err() == nil {
		a.opt.Logger.LogAttrs(ctx, slog.LevelWarn, "sweeping idempotency keys failed", slog.String("error", err.Error()))
	}
}
