package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/limit"
	"parley/internal/respond"
)

// admit puts the principal into the context and takes one request from the organization's rate limit; or it
// answers 401, 429, or 403 when the principal lacks the scope. Everything that costs stands behind it.
func (a *API) admit(o operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		ctx.SetHeader("Cache-Control", "no-store")
		ctx.SetHeader("X-Content-Type-Options", "nosniff")
		r, w := unwrap(ctx)
		who, err := a.authenticate(ctx.Context(), r, w)
		if err == nil {
			err = a.limit(ctx.Context(), who, o, w.Header())
		}
		if err == nil && o.scope != scopeAny {
			err = auth.Allow(who, o.scope)
		}
		if err != nil {
			a.writeError(ctx, err)
			return
		}
		next(huma.WithContext(ctx, withRequest(auth.WithPrincipal(ctx.Context(), who), r)))
	}
}

// authenticate finds who asks: by a key, or in its absence by a login. Those that are refused count against the
// client's address: beyond its limit only keys that were valid here not long ago are looked at, so that nobody can go
// on guessing, and a neighbor's mistakes shut nobody out.
func (a *API) authenticate(ctx context.Context, r *http.Request, w http.ResponseWriter) (parley.Principal, error) {
	client, byLogin := respond.Client(ctx), a.opt.Logins != nil && !auth.Presented(r.Header) && a.opt.Logins.Presented(r)
	presented := byLogin || auth.Presented(r.Header)
	if wait, ok := a.opt.Failures.Allowed(client); !ok && presented && !a.opt.Auth.Known(r.Header) {
		return parley.Principal{}, TooManyFailures(wait)
	}
	authenticate := func() (parley.Principal, error) { return a.opt.Auth.Authenticate(ctx, r.Header) }
	if byLogin {
		authenticate = func() (parley.Principal, error) { return a.opt.Logins.Authenticate(ctx, r) }
	}
	who, err := authenticate()
	if parley.ErrorCode(err) == parley.CodeUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="parley"`)
		if presented {
			a.opt.Failures.Failed(client)
		}
		if byLogin {
			a.opt.Logins.Clear(w) // a page that goes on asking must not use up the address's attempts
		}
	}
	return who, err
}

// TooManyFailures is the answer to an address that may not try to authenticate for now.
func TooManyFailures(wait time.Duration) error {
	return respond.WithRetry(parley.Errorf(parley.CodeRateLimited,
		"Too many requests with a wrong API key came from your address. Check the key, and try again later."), wait)
}

// limit takes one request and sets the headers that say what is left. When several nodes share the limits and
// their database does not answer, reads and changes pass; what spends money does not.
func (a *API) limit(ctx context.Context, who parley.Principal, o operation, h http.Header) error {
	d, err := a.opt.Limits.Take(ctx, who.OrgID, who.PerMinute)
	switch {
	case errors.Is(err, limit.ErrUnavailable) && o.spends:
		d.SetHeaders(h)
		return parley.Errorf(parley.CodeUnavailable, "The server cannot check its limits now. Try again in a moment.")
	case errors.Is(err, limit.ErrUnavailable):
		d.Allowed = true
	case err != nil:
		return err
	}
	d.SetHeaders(h)
	if d.Allowed {
		return nil
	}
	return parley.Errorf(parley.CodeRateLimited, "Your organization sends more than its %d requests per minute. Wait as long as Retry-After says.", d.Limit)
}

// few holds an organization's large answers to a few at once, from the reading to the last byte sent: a slow reader
// keeps its place.
func (a *API) few(ctx huma.Context, next func(huma.Context)) {
	waiting, cancel := context.WithTimeout(ctx.Context(), a.opt.Patience)
	defer cancel()
	release, err := a.heavy.Acquire(waiting, auth.Principal(ctx.Context()).OrgID)
	if err != nil {
		a.writeError(ctx, err)
		return
	}
	defer release()
	next(ctx)
}
