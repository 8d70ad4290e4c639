package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
)

// ownersContact is the person whom the owner's notes are about.
const ownersContact = "+15550100042"

// NewDocument returns a valid document of an agent.
func NewDocument(a parley.Agent, name string) parley.Document {
	now := Now()
	return parley.Document{ID: parley.NewID(), OrgID: a.OrgID, AgentID: a.ID, Name: name, Format: parley.DocumentText, Content: "Content of " + name, Characters: 11 + len(name),
		CreatedAt: now, UpdatedAt: now}
}

func ownersDocument(a parley.Agent) parley.Document {
	d := NewDocument(a, "Owner's")
	d.ID = "01900000-0000-7000-8000-0000000000d0"
	return d
}

func notes(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	save := func(contact, key, text string) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.SaveNote(ctx, org.ID, contact, parley.Note{Key: key, Text: text, UpdatedAt: Now()})
		})
	}
	forget := func(contact, key string) (n int) {
		Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = tx.DeleteNotes(ctx, org.ID, contact, key)
			return err
		})
		return n
	}
	for i := range parley.MaxNotes {
		same(t, save("full", fmt.Sprintf("k%03d", i), "x"), nil, nil)
	}
	wantCode(t, "a note too many", save("full", "more", "x"), parley.CodeConflict)
	same(t, save("full", "k007", "Ω again"), nil, nil)
	same(t, save("other", "k007", "x"), nil, nil)
	list, err := st.ListNotes(t.Context(), org.ID, "full")
	same(t, err, []any{len(list), list[7].Key, list[7].Text, list[7].UpdatedAt.After(list[7].CreatedAt)}, []any{parley.MaxNotes, "k007", "Ω again", true})
	same(t, nil, []int{forget("full", "none"), forget("full", "k007"), forget("full", ""), forget("full", "")}, []int{0, 1, parley.MaxNotes - 1, 0})
	list, err = st.ListNotes(t.Context(), org.ID, "other")
	same(t, err, len(list), 1)
}

func addDocument(t testing.TB, st *store.Store, a parley.Agent, name string, texts ...string) parley.Document {
	t.Helper()
	d := NewDocument(a, name)
	passages := make([]parley.Passage, len(texts))
	for i, text := range texts {
		passages[i] = parley.Passage{Text: text}
	}
	d.Passages = len(passages)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateDocument(ctx, a.OrgID, d, passages) })
	return d
}

func documents(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	agent, other := Agent(t, st, org.ID, parley.AgentChat), Agent(t, st, org.ID, parley.AgentVoice)
	many := make([]string, 120) // more than one statement takes
	for i := range many {
		many[i] = fmt.Sprintf("Room %d costs %d euros.", i, i*10)
	}
	d := addDocument(t, st, agent, "Prices", many...)
	found, err := st.FindDocument(t.Context(), org.ID, agent.ID, d.ID)
	same(t, err, found, d)
	_, err = st.FindDocument(t.Context(), org.ID, other.ID, d.ID)
	wantCode(t, "another agent's document", err, parley.CodeNotFound)
	search := func(query string) string {
		hits, err := st.SearchPassages(t.Context(), org.ID, agent.ID, query, 1)
		if err != nil || len(hits) == 0 {
			return fmt.Sprint(err)
		}
		return hits[0].Document + ": " + hits[0].Text
	}
	same(t, nil, search("What does room 117 cost?"), "Prices: Room 117 costs 1170 euros.")

	d.Name, d.Content, d.Characters, d.Passages, d.URL = "New prices", "new", 3, 1, "https://a.example.com/"
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.ReplaceDocument(ctx, org.ID, d, []parley.Passage{{Heading: "Suites", Text: "They are free."}})
	})
	found, err = st.FindDocument(t.Context(), org.ID, agent.ID, d.ID)
	same(t, err, found, d)
	same(t, nil, []string{search("room 117"), search("suite"), search("prices")}, []string{"<nil>", "New prices: They are free.", "New prices: They are free."})

	second := addDocument(t, st, agent, "Second", "Nothing.")
	list, total, err := st.ListDocuments(t.Context(), org.ID, agent.ID, 1, 1)
	second.Content = ""
	same(t, err, []any{list, total}, []any{[]parley.Document{second}, 2})
	for _, want := range []parley.Code{"", parley.CodeNotFound} {
		err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteDocument(ctx, org.ID, agent.ID, d.ID) })
		wantCode(t, "deleting", err, want)
	}
	same(t, nil, search("suite"), "<nil>")

	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAgent(ctx, org.ID, agent.ID, Now()) })
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateDocument(ctx, org.ID, NewDocument(agent, "Late"), nil)
	})
	wantCode(t, "a document of a deleted agent", err, parley.CodeNotFound)
	same(t, nil, search("nothing"), "Second: Nothing.") // it can be restored

	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		for i := range parley.MaxDocuments {
			if err := tx.CreateDocument(ctx, org.ID, NewDocument(other, fmt.Sprint(i)), nil); err != nil {
				return err
			}
		}
		return nil
	})
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateDocument(ctx, org.ID, NewDocument(other, "Too many"), nil)
	})
	wantCode(t, "a document too many", err, parley.CodeConflict)
}

func documentSearch(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	agent := Agent(t, st, org.ID, parley.AgentChat)
	for _, a := range []parley.Agent{Agent(t, st, org.ID, parley.AgentChat), Agent(t, st, Organization(t, st).ID, parley.AgentChat)} {
		addDocument(t, st, a, "Foreign", "Opening hours: never. Öffnungszeiten. 営業時間. Ärzte. Refund within 1 day. Room 12.")
	}
	addDocument(t, st, agent, "Hours", "We are open from nine to five on weekdays. Opening hours on Sunday: ten to four.", "Our parking garage is open day and night.")
	addDocument(t, st, agent, "Terms", "Refunds are paid within fourteen days after the return.", "Gift cards cannot be returned.")
	addDocument(t, st, agent, "Deutsch", "Die Öffnungszeiten unserer Praxis: montags bis freitags. Die Ärzte sprechen Englisch.", "Zimmer 12 kostet 90 Euro.")
	addDocument(t, st, agent, "日本語", "営業時間は午前九時からです。", "Приём врачей по вторникам.", "Der Straßenbahnhof „O'Brien's“ – 100%_sicher; SELECT * FROM y")
	for query, want := range map[string]string{ // beginning of the best passage; "" = none
		"opening hours":                    "We are open",
		"OPENING HOURS":                    "We are open",
		"When are you open on Sundays?":    "We are open",
		"sunday hour":                      "We are open",
		"refund":                           "Refunds are",
		"How do I get a refund for that?":  "Refunds are",
		"returning a gift card":            "Gift cards",
		"parking":                          "Our parking",
		"öffnungszeit":                     "Die Öffnungszeiten",
		"OFFNUNGSZEITEN der Praxis":        "Die Öffnungszeiten",
		"arzte":                            "Die Öffnungszeiten",
		"Was kostet Zimmer 12":             "Zimmer 12",
		"営業時間":                             "営業時間",
		"врач":                             "Приём",
		"strasse":                          "Der Straßen",
		"obrien O'Brien":                   "Der Straßen",
		"100%_":                            "Der Straßen",
		"Hours":                            "We are open", // the document's name counts, too
		"unicorn":                          "",
		"":                                 "",
		"?!":                               "",
		`" OR words:x* NEAR(a b) ^ - + {`:  "",
		`') | !'a':* & <-> \`:              "",
		"words : refund* OR NOT":           "Refunds are",
		"\"refund\"":                       "Refunds are",
		strings.Repeat("refund money ", 1): "Refunds are",
		strings.Repeat("x ", 5000):         "",
	} {
		hits, err := st.SearchPassages(t.Context(), org.ID, agent.ID, query, 3)
		if err != nil {
			t.Errorf("%.40q: %v", query, err)
			continue
		}
		got := ""
		if len(hits) > 0 {
			got = hits[0].Text
		}
		if (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%.40q: %q, want %q", query, got, want)
		}
		for _, h := range hits {
			if h.Document == "Foreign" || len(hits) > 3 {
				t.Errorf("%.40q: %d hits, %+v", query, len(hits), h)
			}
		}
	}
}
