package api_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

// TestDatabaseThatKeepsSilent: a request does not wait for ever for a database that does not answer.
func TestDatabaseThatKeepsSilent(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	h := newHouse(t, storetest.PostgresAt(t, address))
	hasty := newHouseWith(t, h.st, houseOptions{like: h, patience: 100 * time.Millisecond})
	path := "/api/v1/agents/" + h.createAgent(t, "", chatBody)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	admin, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	tx, err := admin.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, `LOCK TABLE agent IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	requests := []request{{method: "GET", path: path}, {method: "PATCH", path: path, body: `{"name":"B"}`}, {method: "POST", path: path + "/chat", body: `{"message":"Hello"}`}}
	for _, r := range requests {
		if a := hasty.do(t, r); a.status != 500 || a.text("error.type") != "internal" {
			t.Errorf("%s while the table is locked: %d %s", r.method, a.status, a.body)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if a := h.do(t, requests[0]); a.status != 200 || a.text("data.name") != "Site" {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}
