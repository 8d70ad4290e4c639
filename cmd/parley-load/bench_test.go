package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	two := "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabcHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	in := bufio.NewReader(strings.NewReader(two))
	for _, want := range []int{200, 404} {
		if got, err := readAnswer(in); err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
	for _, bad := range []string{"", "HTTP/1.1 2", "HTTP/2 200 OK fine\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"} {
		if got, err := readAnswer(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q gave %d", bad, got)
		}
	}
}

func TestBenchRowTakesMediansOfTheRounds(t *testing.T) {
	t.Parallel()
	turns := func(counts ...int) (out []turn) {
		for _, n := range counts {
			out = append(out, turn{seconds: 2, times: make([]time.Duration, n), cpu: time.Duration(n) * 50 * time.Microsecond, mallocs: float64(100 * n)})
		}
		return out
	}
	// Both became slower in the second round, the ratio did not.
	got := newBenchRow("sqlite", "GET", subjectParley, turns(80, 8, 160), turns(100, 10, 100))
	if got.PerSecond != 40 || got.Ratio != 0.8 || got.Allocs != 100 || got.CPU != 50 || got.Latency.Count != 248 {
		t.Errorf("got %+v", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if got := median(nil); got != 0 {
		t.Errorf("median of nothing %v", got)
	}
}

func TestBenchReport(t *testing.T) {
	t.Parallel()
	r := newBenchReport(benchOptions{Clients: 8, Rounds: 5, Round: 2 * time.Second, Agents: 7})
	r.Rows = append(r.Rows, benchRow{Database: "sqlite", Route: "GET /x", Subject: subjectBare, PerSecond: 123, Ratio: 1})
	r.Notes = append(r.Notes, "postgres was not measured: why")
	var table, raw bytes.Buffer
	if err := r.table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GET /x", "123", "100 %", "was not measured: why"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is missing in\n%s", want, table.String())
		}
	}
	if err := writeJSON(&raw, r); err != nil || !json.Valid(raw.Bytes()) {
		t.Errorf("%v, %s", err, raw.String())
	}
}

// TestYardstick: every subject of the other process does what it is measured for, on both databases.
func TestYardstick(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "parley.db")
		testYardstick(t, bareOptions{Path: path}, store.Options{Path: path})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := storetest.PostgresURL(t)
		testYardstick(t, bareOptions{URL: url}, store.Options{URL: url})
	})
}

func testYardstick(t *testing.T, o bareOptions, at store.Options) {
	st, err := store.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	o.Org = storetest.Organization(t, st).ID
	y, err := newYardstick(t.Context(), o, st)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = y.close() }()
	mux := y.mux()
	ask := func(method, path, body string) (a bareAgent, status int) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		_ = json.Unmarshal(w.Body.Bytes(), &a)
		return a, w.Code
	}
	for _, by := range []string{"/bare/agents", "/store/agents"} {
		made, status := ask(http.MethodPost, by, `{"name":"Ada","type":"voice","instructions":"Be brief."}`)
		if status != http.StatusCreated {
			t.Fatalf("POST %s: %d", by, status)
		}
		for _, from := range []string{"/bare/agents/", "/store/agents/"} {
			got, status := ask(http.MethodGet, from+made.ID, "")
			if status != http.StatusOK || got.ID != made.ID || got.Name != "Ada" || got.Instructions != "Be brief." || string(got.Config) != y.config {
				t.Errorf("%s after POST %s: %d %+v", from, by, status, got)
			}
		}
	}
	if _, total, err := st.ListAudit(t.Context(), o.Org, parley.AuditFilter{}); err != nil || total != 1 {
		t.Errorf("%d audit entries, %v: one of the two writes leaves one", total, err)
	}
	if _, status := ask(http.MethodGet, "/bare/agents/nobody", ""); status != http.StatusInternalServerError {
		t.Errorf("an unknown agent: %d", status)
	}
}
