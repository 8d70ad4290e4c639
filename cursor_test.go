package parley

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCursorsComeBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	for _, name := range []string{"", "Ada", "Straße İ 🎉", strings.Repeat("🎉", MaxAgentName)} {
		a := Agent{ID: NewID(), Name: name, CreatedAt: at, UpdatedAt: at.Add(time.Hour)}
		for sort, want := range map[string]AgentCursor{
			"":          {ID: a.ID, Offset: 7, Time: a.CreatedAt},
			"createdAt": {ID: a.ID, Offset: 7, Time: a.CreatedAt},
			"updatedAt": {ID: a.ID, Offset: 7, Time: a.UpdatedAt},
			"name":      {ID: a.ID, Offset: 7, Name: name},
		} {
			f := AgentFilter{Sort: sort, Search: "x", Limit: 5}
			text := f.Cursor(a, 7)
			f.Limit, f.Offset = 50, 3 // no part of the list's identity
			got, err := f.ParseCursor(text)
			if err != nil || *got != want || len(text) > maxCursor {
				t.Errorf("%q by %s: %+v, %v; want %+v", name, sort, got, err, want)
			}
		}
	}
}

func TestCursorsOfOtherListsAreRefused(t *testing.T) {
	t.Parallel()
	a := Agent{ID: NewID(), Name: "Ada", CreatedAt: time.Now(), UpdatedAt: time.Now()}
	f := AgentFilter{Type: AgentVoice, Status: AgentActive, Search: "a"}
	text := f.Cursor(a, 1)
	others := map[string]func(*AgentFilter){
		"type":    func(f *AgentFilter) { f.Type = AgentChat },
		"status":  func(f *AgentFilter) { f.Status = "" },
		"search":  func(f *AgentFilter) { f.Search = "A" },
		"deleted": func(f *AgentFilter) { f.IncludeDeleted = true },
		"sort":    func(f *AgentFilter) { f.Sort = "updatedAt" },
		"name":    func(f *AgentFilter) { f.Sort = "name" },
		"order":   func(f *AgentFilter) { f.Ascending = true },
	}
	for what, change := range others {
		other := f
		change(&other)
		if c, err := other.ParseCursor(text); err == nil {
			t.Errorf("%s: %+v", what, c)
		}
	}
	for _, bad := range []string{"", "x", "!", text + "A", text[1:], text[:len(text)-1], text + "=", strings.Repeat("A", maxCursor+1)} {
		_, err := f.ParseCursor(bad)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != CodeInvalid || len(e.Details) != 1 || e.Details[0].Field != "cursor" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	a := Agent{ID: NewID(), Name: "Ada", CreatedAt: time.Now(), UpdatedAt: time.Now()}
	for _, sort := range []string{"createdAt", "name"} {
		f.Add(sort, AgentFilter{Sort: sort}.Cursor(a, 50))
	}
	f.Add("name", "AQ")
	f.Fuzz(func(t *testing.T, sort, text string) {
		filter := AgentFilter{Sort: sort}
		c, err := filter.ParseCursor(text)
		if err != nil {
			if ErrorCode(err) != CodeInvalid {
				t.Fatal(err)
			}
			return
		}
		if !IsID(c.ID) || c.Offset < 0 || filter.encodeCursor(*c) != text {
			t.Fatalf("%q gave %+v", text, c)
		}
	})
}
