// Package auth turns the credentials of a request into a parley.Principal in its context: API keys now,
// dashboard logins and widget tokens with their issues.
//
// It decides who is asking, not what they may see: that is the organization id in every store method.
package auth

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
)

const (
	touchQueue   = 256
	touchTimeout = 5 * time.Second
	touchEvery   = time.Minute
)

// Authenticator checks API keys. Safe for concurrent use.
type Authenticator struct {
	store  *store.Store
	logger *slog.Logger
	now    func() time.Time
	touch  chan parley.APIKey
	done   chan struct{}
	cancel context.CancelFunc
}

// New starts the goroutine that notes when keys were last used; Close ends it.
func New(st *store.Store, logger *slog.Logger) *Authenticator {
	ctx, cancel := context.WithCancel(context.Background())
	a := &Authenticator{store: st, logger: logger, now: time.Now,
		touch: make(chan parley.APIKey, touchQueue), done: make(chan struct{}), cancel: cancel}
	go a.toucher(ctx)
	return a
}

// Close stops noting uses and waits until the last write is done.
func (a *Authenticator) Close() {
	a.cancel()
	<-a.done
}

// errUnauthorized is the same for missing, malformed, unknown, expired and revoked keys: an answer that
// told them apart would help only an attacker.
func errUnauthorized() error {
	return parley.Errorf(parley.CodeUnauthorized, "Invalid API key")
}

// Authenticate finds who holds the key of the request's headers. The error is CodeUnauthorized, or internal
// when the database cannot be asked.
func (a *Authenticator) Authenticate(ctx context.Context, h http.Header) (parley.Principal, error) {
	key, ok := keyOf(h)
	if !ok || !plausible(key) {
		return parley.Principal{}, errUnauthorized()
	}
	found, err := a.store.FindAPIKeyByHash(ctx, HashKey(key))
	if parley.IsNotFound(err) {
		return parley.Principal{}, errUnauthorized()
	}
	if err != nil {
		return parley.Principal{}, err
	}
	now := a.now()
	if !found.Live(now) {
		return parley.Principal{}, errUnauthorized()
	}
	a.noteUse(found, now)
	return parley.Principal{OrgID: found.OrgID, KeyID: found.ID, Scopes: found.Scopes}, nil
}

// keyOf reads the key from x-api-key or from Authorization: Bearer, whose scheme word is case-insensitive.
// Two different keys in one request are refused instead of guessed.
func keyOf(h http.Header) (string, bool) {
	plain := strings.TrimSpace(h.Get("X-Api-Key"))
	scheme, bearer, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	bearer = strings.TrimSpace(bearer)
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	switch {
	case len(h.Values("X-Api-Key")) > 1 || len(h.Values("Authorization")) > 1:
		return "", false
	case plain == "":
		return bearer, bearer != ""
	case bearer != "" && subtle.ConstantTimeCompare([]byte(plain), []byte(bearer)) != 1:
		return "", false
	}
	return plain, true
}

// noteUse hands a use to the toucher. A full queue drops it: the time is a hint for people.
func (a *Authenticator) noteUse(k parley.APIKey, now time.Time) {
	if k.LastUsedAt != nil && now.Sub(*k.LastUsedAt) < touchEvery {
		return
	}
	select {
	case a.touch <- k:
	default:
	}
}

func (a *Authenticator) toucher(ctx context.Context) {
	defer close(a.done)
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-a.touch:
			a.touchOne(ctx, k)
		}
	}
}

func (a *Authenticator) touchOne(ctx context.Context, k parley.APIKey) {
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	err := a.store.Write(ctx, func(tx *store.Tx) error { return tx.TouchAPIKey(ctx, k.OrgID, k.ID, a.now()) })
	if err != nil && ctx.Err() == nil {
		a.logger.LogAttrs(ctx, slog.LevelWarn, "noting the use of an API key failed",
			slog.String("org_id", k.OrgID), slog.String("error", err.Error()))
	}
}

// Allow returns a CodeForbidden error that names the scope unless the principal holds it.
func Allow(p parley.Principal, scope string) error {
	if p.Can(scope) {
		return nil
	}
	return parley.Errorf(parley.CodeForbidden, "This API key lacks the scope %s. Use a key that has it.", scope)
}

type principalKey struct{}

// WithPrincipal puts who asks into the context.
func WithPrincipal(ctx context.Context, p parley.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Principal returns who asks. Operations run only behind authentication, so its absence is a programming
// error that the zero organization id turns into "not found".
func Principal(ctx context.Context) parley.Principal {
	p, _ := ctx.Value(principalKey{}).(parley.Principal)
	return p
}
