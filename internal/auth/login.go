package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley"
	"parley/internal/respond"
	"parley/internal/store"
)

// loginLife is how long a login lives at most; its key may end it sooner.
const loginLife = 24 * time.Hour

// Logins lets people use an API key in a browser without keeping it there: a cookie that no script can read stands
// for the key. Each use asks the database, so a login ends with its key, at once. Safe for concurrent use.
type Logins struct {
	keys   *Authenticator
	origin string // public, without a final slash
}

// NewLogins makes logins for pages at a public origin.
func NewLogins(keys *Authenticator, origin string) *Logins {
	return &Logins{keys: keys, origin: origin}
}

// secure reports whether browsers reach the server by https.
func (l *Logins) secure() bool { return strings.HasPrefix(l.origin, "https:") }

// name is the cookie's. On https it makes browsers refuse one that another host, or a page without encryption, sets.
func (l *Logins) name() string {
	if l.secure() {
		return "__Host-parley_login"
	}
	return "parley_login"
}

// setCookie sets the cookie for some seconds; less than 0 makes the browser forget it.
func (l *Logins) setCookie(w http.ResponseWriter, token string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: http without TLS is for this machine, or not ours to refuse
		Name: l.name(), Value: token, Path: "/", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: l.secure()})
}

// token reads the cookie. Two of one name are refused instead of guessed.
func (l *Logins) token(r *http.Request) (string, bool) {
	all := r.CookiesNamed(l.name())
	if len(all) != 1 {
		return "", false
	}
	return all[0].Value, true
}

// Presented reports whether the request carries a login's cookie, living or not.
func (l *Logins) Presented(r *http.Request) bool { return len(r.CookiesNamed(l.name())) > 0 }

// Begin logs in with a key and sets the cookie. A refused key is CodeUnauthorized, like in Authenticate.
func (l *Logins) Begin(ctx context.Context, w http.ResponseWriter, key string) error {
	who, err := l.keys.Authenticate(ctx, http.Header{"X-Api-Key": {key}})
	if err != nil {
		return err
	}
	token := rand.Text() + rand.Text() // 260 random bits
	now := l.keys.now().UTC().Truncate(time.Microsecond)
	login := store.Login{Hash: hashLogin(token), KeyID: who.KeyID, CreatedAt: now, ExpiresAt: now.Add(loginLife)}
	if who.ExpiresAt != nil && who.ExpiresAt.Before(login.ExpiresAt) {
		login.ExpiresAt = *who.ExpiresAt
	}
	err = l.keys.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.CreateLogin(ctx, who.OrgID, login); err != nil {
			return err
		}
		return l.note(ctx, tx, who, "login")
	})
	if err != nil {
		return err
	}
	l.setCookie(w, token, int(login.ExpiresAt.Sub(now)/time.Second))
	return nil
}

// End logs out: the login is over, whoever else knows its cookie. Without a living one it only clears the cookie.
func (l *Logins) End(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	l.Clear(w)
	token, ok := l.token(r)
	if !ok {
		return nil
	}
	who, err := l.find(ctx, token)
	if parley.ErrorCode(err) == parley.CodeUnauthorized {
		return nil
	}
	if err != nil {
		return err
	}
	return l.keys.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteLogin(ctx, who.OrgID, hashLogin(token)); err != nil {
			return err
		}
		return l.note(ctx, tx, who, "logout")
	})
}

// Clear makes the browser forget the cookie.
func (l *Logins) Clear(w http.ResponseWriter) { l.setCookie(w, "", -1) }

// Authenticate finds who holds the request's login. The error is CodeUnauthorized without a living one, and
// CodeForbidden when the request may have been made by a page of somebody else.
func (l *Logins) Authenticate(ctx context.Context, r *http.Request) (parley.Principal, error) {
	token, ok := l.token(r)
	if !ok {
		return parley.Principal{}, errLoggedOut()
	}
	if !l.OwnPage(r) {
		return parley.Principal{}, parley.Errorf(parley.CodeForbidden,
			"A login counts only for requests of this server's own pages. Send an API key from anywhere else.")
	}
	return l.find(ctx, token)
}

func errLoggedOut() error {
	return parley.Errorf(parley.CodeUnauthorized, "You are not logged in, or your login has ended. Log in again.")
}

func (l *Logins) find(ctx context.Context, token string) (parley.Principal, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	now := l.keys.now()
	key, org, err := l.keys.store.FindLoginHolder(ctx, hashLogin(token), now)
	if parley.IsNotFound(err) || err == nil && !key.Live(now) {
		return parley.Principal{}, errLoggedOut()
	}
	if err != nil {
		return parley.Principal{}, err
	}
	l.keys.noteUse(key, now)
	return l.keys.principal(key, org), nil
}

// OwnPage reports whether a request comes from a page of this server, as far as the browser tells. Cookies of one host
// go to all its ports, and those of a site to all its subdomains, SameSite or not: this is what keeps their pages
// from using a login. A read may also be a person's own: an address that was typed, or a link that was followed.
func (l *Logins) OwnPage(r *http.Request) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "none":
		return safe
	case "": // an old browser, or plain http on another machine
		origin := r.Header.Get("Origin")
		return origin == "" && safe || origin != "" && l.own(origin, r.Host)
	}
	return safe && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// own compares an origin with the public one, and with where the browser believes to be: a page cannot forge either
// header.
func (l *Logins) own(origin, host string) bool {
	u, err := url.Parse(origin)
	return origin == l.origin || err == nil && u.Host != "" && u.Host == host
}

// note writes the audit entry of a login or logout.
func (l *Logins) note(ctx context.Context, tx *store.Tx, who parley.Principal, action string) error {
	resource := parley.AuditResource{Type: "api_key", ID: who.KeyID, Name: who.KeyName}
	actor := parley.AuditActor{Type: parley.ActorAPIKey, ID: who.KeyID, Name: who.KeyName}
	entry, err := parley.NewAuditEntry(actor, action, resource, nil, nil, l.keys.now())
	if err != nil {
		return err
	}
	entry.RequestID = respond.RequestID(ctx)
	if client := respond.Client(ctx); client.IsValid() {
		entry.Client = client.String()
	}
	return tx.AppendAudit(ctx, who.OrgID, entry)
}

func hashLogin(token string) []byte {
	sum := sha256.Sum256([]byte("login\x00" + token)) // never the hash of a key
	return sum[:]
}
