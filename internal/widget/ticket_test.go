package widget

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

func openRing(t testing.TB) *secret.Ring {
	t.Helper()
	ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestTickets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	ring := openRing(t)
	a, other := NewTickets(ring), NewTickets(openRing(t))
	a.now = func() time.Time { return now }
	other.now = a.now
	agent := parley.NewID()

	framed := a.MintEmbed(store.WidgetAgent{ID: agent, Chat: parley.ChatConfig{AllowedDomains: []string{"a.example"}}})
	if k, ok := a.Check(framed); !ok || k.Domains != domainsOf(store.WidgetAgent{Chat: parley.ChatConfig{AllowedDomains: []string{"a.example"}}}) || k.Domains == domainsOf(store.WidgetAgent{}) {
		t.Errorf("Check = %+v, %v", k, ok)
	}
	text := a.Mint(agent, PurposeEmbed, time.Minute)
	if k, ok := a.Check(text); !ok || k.AgentID != agent || k.Purpose != PurposeEmbed || !k.Expires.Equal(now.Add(time.Minute)) {
		t.Errorf("Check = %+v, %v", k, ok)
	}
	again := NewTickets(ring)
	again.now = a.now
	if _, ok := again.Check(text); !ok {
		t.Error("a process with the same ring refuses the ticket")
	}
	if _, ok := other.Check(text); ok {
		t.Error("another ring's ticket is accepted")
	}
	for _, life := range []time.Duration{0, -time.Second, time.Hour} {
		if k, ok := a.Check(a.Mint(agent, PurposeTry, life)); !ok || !k.Expires.Equal(now.Add(MaxTicketLife)) {
			t.Errorf("a life of %v gives %+v, %v", life, k, ok)
		}
	}
	for _, bad := range []string{
		"", ".", "...", text + "x", text[:len(text)-1], strings.Replace(text, "embed", "try", 1),
		strings.Replace(text, agent, parley.NewID(), 1), "embed." + agent + ".99999999999.", a.Mint("x", PurposeTry, 0), a.Mint(agent, "admin", 0),
	} {
		if k, ok := a.Check(bad); ok {
			t.Errorf("Check(%q) = %+v", bad, k)
		}
	}
	now = now.Add(time.Minute)
	if _, ok := a.Check(text); ok {
		t.Error("an expired ticket is accepted")
	}
}
