package widget

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// secretOf gives the house's agent a key for its visitors.
func (b *house) secretOf(agent parley.Agent) string {
	b.t.Helper()
	key := auth.NewIdentitySecret()
	storetest.Write(b.t, b.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.SetIdentitySecret(ctx, agent.OrgID, agent.ID, b.ring.Seal(store.IdentityAAD(agent.OrgID, agent.ID), []byte(key)))
	})
	return key
}

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return `"visitor":{"jwt":"` + text + `"}`
}

func TestIdentifiedVisitors(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		key := b.secretOf(b.agent)
		ada := func(more jwt.MapClaims) string {
			claims := jwt.MapClaims{"sub": "42", "exp": b.clock.now().Add(time.Hour).Unix(), "name": "Ada", "email": "ada@example.com", "attributes": map[string]any{"plan": "pro", "seats": 3}}
			for k, v := range more {
				claims[k] = v
			}
			return sign(t, jwt.SigningMethodHS256, []byte(key), claims)
		}
		v := b.session(site, ada(nil))
		if v.Visitor != (visitorView{Name: "Ada", Email: "ada@example.com", Verified: true}) || !v.Config.Identified {
			t.Errorf("the session %+v", v.sessionView)
		}
		v.listen(v.say("hello").RunID, nil)
		phone := b.session("https://m.example.com", ada(jwt.MapClaims{"name": "Ada L."}))
		if phone.VisitorID != v.VisitorID || phone.ConversationID != v.ConversationID || len(phone.Messages) != 2 || phone.Visitor.Name != "Ada L." {
			t.Errorf("the same person elsewhere: %+v", phone.sessionView)
		}
		named := b.session(site, ada(nil), `"conversationId":"`+v.ConversationID+`"`)
		if named.ConversationID != v.ConversationID {
			t.Errorf("a conversation by its id: %+v", named.sessionView)
		}
		bob := b.session(site, ada(jwt.MapClaims{"sub": "43", "name": "Bob"}))
		if bob.VisitorID == v.VisitorID || bob.ConversationID == v.ConversationID || len(bob.Messages) != 0 {
			t.Errorf("another person: %+v", bob.sessionView)
		}
		b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(ada(jwt.MapClaims{"sub": "43"}), `"conversationId":"`+v.ConversationID+`"`)}).want("another's conversation", 404)

		guest := b.session(site, `"visitor":{"name":"Mallory"}`)
		guest.listen(guest.say("who am I?").RunID, nil)
		begun := guest.ConversationID
		guest.resume(ada(jwt.MapClaims{"sub": "44", "name": "Eve"})).want("a guest logs in", 201)
		if guest.ConversationID != begun || len(guest.Messages) != 2 || !guest.Visitor.Verified || guest.Visitor.Name != "Eve" {
			t.Errorf("a guest who logs in: %+v", guest.sessionView)
		}
		guest.listen(guest.say("and now?").RunID, nil)
		guest.resume(`"visitor":{"name":"Mallory"}`).want("what the page says then", 201)
		if guest.Visitor != (visitorView{Name: "Eve", Email: "ada@example.com", Verified: true}) {
			t.Errorf("the page's word replaced the site's: %+v", guest.Visitor)
		}
		guest.resume(ada(nil)).want("somebody else at the same browser", 201)
		if guest.ConversationID != v.ConversationID || guest.VisitorID != v.VisitorID {
			t.Errorf("somebody else at the same browser: %+v", guest.sessionView)
		}
	})
}

func TestForgedIdentities(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	key := []byte(b.secretOf(b.agent))
	other := []byte(b.secretOf(b.addAgent(nil)))
	now := b.clock.now()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "42", "exp": now.Add(time.Hour).Unix()}
		change(c)
		return c
	}
	same := claims(func(jwt.MapClaims) {})
	for name, member := range map[string]string{
		"another agent's key":  sign(t, jwt.SigningMethodHS256, other, same),
		"an empty key":         sign(t, jwt.SigningMethodHS256, []byte{}, same),
		"no signature":         sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"another algorithm":    sign(t, jwt.SigningMethodHS512, key, same),
		"no subject":           sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { delete(c, "sub") })),
		"an empty subject":     sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["sub"] = " " })),
		"a subject of numbers": sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["sub"] = 42 })),
		"a long subject":       sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["sub"] = strings.Repeat("x", 256) })),
		"no end":               sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { delete(c, "exp") })),
		"expired":              sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["exp"] = now.Add(-2 * time.Minute).Unix() })),
		"25 hours":             sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["exp"] = now.Add(25 * time.Hour).Unix() })),
		"not valid yet":        sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["nbf"] = now.Add(time.Hour).Unix() })),
		"nested attributes":    sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["attributes"] = map[string]any{"a": map[string]any{}} })),
		"many attributes": sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) {
			all := map[string]any{}
			for range parley.MaxVisitorAttributes + 1 {
				all[parley.NewID()] = 1
			}
			c["attributes"] = all
		})),
		"NUL":           sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["name"] = "a\x00b" })),
		"no jwt at all": `"visitor":{"jwt":"a.b.c"}`,
	} {
		r := b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(member)}).want(name, 400)
		if !strings.Contains(string(r.body), "visitor.jwt") || strings.Contains(string(r.body), string(key)) {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(sign(t, jwt.SigningMethodHS256, key, claims(func(c jwt.MapClaims) { c["exp"] = now.Add(24 * time.Hour).Unix() })))}).want("24 hours", 201)
	b.secretOf(b.agent)
	b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(sign(t, jwt.SigningMethodHS256, key, same))}).want("a key that was rotated out", 400)
}
