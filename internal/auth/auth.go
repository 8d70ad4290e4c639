// Package auth turns the credentials of a request into a parley.Principal in its context: API keys, and the logins
// of people in a browser.
//
// It decides who is asking, not what they may see: that is the organization id in every store method.
package auth

import (
	"context"
	"crypto/sha256"
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
	lookTimeout  = 10 * time.Second
	touchEvery   = time.Minute
)

// Authenticator checks API keys. Safe for concurrent use.
type Authenticator struct {
	store  *store.Store
	logger *slog.Logger
	now    func() time.Time
	limit  int // requests per minute of organizations without one of their own
	cache  cache
	touch  chan parley.APIKey
	done   chan struct{}
	cancel context.CancelFunc
}

// New starts the goroutine that notes when keys were last used; Close ends it. perMinute is the rate limit of
// organizations without one of their own.
func New(st *store.Store, logger *slog.Logger, perMinute int) *Authenticator {
	ctx, cancel := context.WithCancel(context.Background())
	a := &Authenticator{store: st, logger: logger, now: time.Now, limit: perMinute,
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
	hash := sha256.Sum256([]byte(key))
	now := a.now()
	found, fresh := a.cache.get(hash, now)
	if !fresh {
		var err error
		if found, err = a.look(ctx, hash, now); err != nil {
			return parley.Principal{}, err
		}
	}
	if !found.key.Live(now) {
		return parley.Principal{}, errUnauthorized()
	}
	if a.noteUse(found.key, now) {
		a.cache.used(hash, now)
	}
	return found.principal, nil
}

// look asks the database. What it finds is remembered for cacheFor; what it does not find is not.
func (a *Authenticator) look(ctx context.Context, hash [sha256.Size]byte, now time.Time) (holder, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	key, org, err := a.store.FindKeyHolder(ctx, hash[:])
	if parley.IsNotFound(err) {
		a.cache.drop(hash)
		return holder{}, errUnauthorized()
	}
	if err != nil {
		return holder{}, err
	}
	found := holder{key: key, principal: a.principal(key, org)}
	if !key.Live(now) {
		a.cache.drop(hash)
		return found, nil
	}
	a.cache.put(hash, found, now)
	return found, nil
}

func (a *Authenticator) principal(k parley.APIKey, org parley.Organization) parley.Principal {
	return parley.Principal{OrgID: k.OrgID, KeyID: k.ID, KeyName: k.Name, Scopes: k.Scopes, ExpiresAt: k.ExpiresAt, PerMinute: org.RateLimit(a.limit)}
}

// Known reports whether the request's key was valid here not long ago. Failed attempts of others behind the
// same address then do not shut it out.
func (a *Authenticator) Known(h http.Header) bool {
	key, ok := keyOf(h)
	return ok && plausible(key) && a.cache.known(sha256.Sum256([]byte(key)))
}

// Presented reports whether the request carries anything that claims to be a key.
func Presented(h http.Header) bool {
	return len(h.Values("X-Api-Key")) > 0 || len(h.Values("Authorization")) > 0
}

// Forget makes the next request of every key ask the database: after keys or limits changed in this process.
// Other processes see a change within cacheFor.
func (a *Authenticator) Forget() { a.cache.expire() }

// keyOf reads the key from x-api-key or from Authorization: Bearer.
// Two different keys in one request are refused instead of guessed.
func keyOf(h http.Header) (string, bool) {
	plain := strings.TrimSpace(h.Get("X-Api-Key"))
	bearer := Bearer(h)
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

// Bearer is the token of Authorization: Bearer, whose scheme word is case-insensitive; "" when there is none.
func Bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// noteUse hands a use to the toucher when the last one is old enough. A full queue drops it: the time is a hint
// for people.
func (a *Authenticator) noteUse(k parley.APIKey, now time.Time) bool {
	if k.LastUsedAt != nil && now.Sub(*k.LastUsedAt) < touchEvery {
		return false
	}
	select {
	case a.touch <- k:
		return true
	default:
		return false
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
