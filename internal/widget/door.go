package widget

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"parley"
	"parley/internal/auth"
	"parley/internal/origin"
	"parley/internal/respond"
	"parley/internal/secret"
	"parley/internal/store"
)

// guest is a visitor with a good token, at a place where the agent may be used.
type guest struct {
	store.OpenSession
	caller caller
	hash   []byte // of the token
}

// admitted lets a request through whose token is in force, on the page that it is bound to, while the agent answers
// there. All of it is read from the database now: whatever the owner changes holds for the next request.
func (h *Handler) admitted(next func(http.ResponseWriter, *http.Request, guest) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		g, err := h.admit(w, r)
		if err != nil {
			return err
		}
		return next(w, r, g)
	}
}

func (h *Handler) admit(w http.ResponseWriter, r *http.Request) (guest, error) {
	c, ok := callerOf(r)
	if !ok {
		return guest{}, errOrigin()
	}
	c.allow(w) // what is said of an unknown token, any page may read
	g, err := h.findGuest(r, c)
	if err != nil {
		return guest{}, err
	}
	if err := h.judge(r, g); err != nil {
		if parley.ErrorCode(err) == parley.CodeForbidden {
			c.forbid(w)
		}
		return guest{}, err
	}
	if !g.ExpiresAt.After(h.now()) {
		return guest{}, errToken()
	}
	if g.Unused {
		if err := h.use(r.Context(), g); err != nil {
			return guest{}, err
		}
	}
	return g, nil
}

// findGuest looks up the token in force, expired or not.
func (h *Handler) findGuest(r *http.Request, c caller) (guest, error) {
	return h.lookUp(r, c, h.opt.Store.FindVisitorSession)
}

// findReplaced looks up the token before the one in force, while that is unused.
func (h *Handler) findReplaced(r *http.Request, c caller) (guest, error) {
	return h.lookUp(r, c, func(ctx context.Context, hash []byte) (store.OpenSession, error) {
		return h.opt.Store.FindReplacedSession(ctx, hash, h.now())
	})
}

func (h *Handler) lookUp(r *http.Request, c caller, find func(context.Context, []byte) (store.OpenSession, error)) (guest, error) {
	token, ok := bearer(r.Header)
	if !ok {
		return guest{}, errToken()
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
	defer cancel()
	hash := secret.HashToken(token)
	s, err := find(ctx, hash)
	if parley.IsNotFound(err) {
		return guest{}, errToken()
	}
	return guest{OpenSession: s, caller: c, hash: hash}, err
}

// use notes, before anything is done with a token, that its page has it: the token before it is dead from now on.
func (h *Handler) use(ctx context.Context, g guest) error {
	ctx, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	err := h.opt.Store.Write(ctx, func(tx *store.Tx) error { return tx.UseVisitorSession(ctx, g.OrgID, g.ID, g.hash) })
	if parley.IsNotFound(err) { // replaced just now
		return errToken()
	}
	return err
}

// judge decides whether a token may be used now and here.
func (h *Handler) judge(r *http.Request, g guest) error {
	own := g.Origin != "" && g.Origin == h.own.String()
	lacks := g.caller.none && own && r.Method == http.MethodGet // browsers send no Origin with a page's own GET
	switch {
	case g.Agent.Deleted || g.Revoked:
		return errToken()
	case g.caller.key() != g.Origin && !lacks:
		return errOrigin()
	case g.Page == string(PurposeEmbed) && g.Domains != domainsOf(g.Agent), g.Page == "" && !permits(g.Agent, g.Origin):
		return errOrigin()
	case !g.Agent.Status.Answers() && g.Page != string(PurposeTry):
		return errOffline()
	}
	return nil
}

// permits applies allowedDomains to what a token is bound to (caller.key).
func permits(a store.WidgetAgent, key string) bool {
	if len(a.Chat.AllowedDomains) == 0 {
		return true
	}
	o, ok := origin.Parse(key)
	return ok && o.Allowed(a.Chat.AllowedDomains)
}

// domainsOf stands for a list of domains: an embedded page cannot say on which site it is, so that its token holds only
// for the list with which it was framed.
func domainsOf(a store.WidgetAgent) string {
	sum := sha256.Sum256([]byte(strings.Join(a.Chat.AllowedDomains, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// bearer reads the token. Two of them are none.
func bearer(header http.Header) (string, bool) {
	token := auth.Bearer(header)
	return token, len(header.Values("Authorization")) == 1 && strings.HasPrefix(token, tokenPrefix) && len(token) < 100
}

func errToken() error {
	return because("token", parley.Errorf(parley.CodeUnauthorized, "This chat session has ended. Please open the chat again."))
}

func errOffline() error {
	return because("offline", respond.WithStatus(parley.Errorf(parley.CodeUnavailable, "The chat is offline at the moment. Please come back later."), http.StatusConflict))
}

func asReason(err error) (*reasonError, bool) { return errors.AsType[*reasonError](err) }
