package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// onlyConn opens one connection with a table of the numbers 1 to 3.
func onlyConn(t *testing.T) (*sql.DB, *preparedConn) {
	t.Helper()
	c, err := newPreparing(sqliteDSN(filepath.Join(t.TempDir(), "x.db"), false))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE n (i INTEGER PRIMARY KEY); INSERT INTO n VALUES (1), (2), (3)`); err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var inner *preparedConn
	_ = conn.Raw(func(c any) error { inner = c.(*preparedConn); return nil })
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return db, inner
}

func TestPreparedStatementsAreReusedAndBounded(t *testing.T) {
	t.Parallel()
	db, conn := onlyConn(t)
	for n := range 3 * maxPrepared {
		var got int
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT %d`, n/2)).Scan(&got); err != nil || got != n/2 {
			t.Fatalf("got %d, %v, want %d", got, err, n/2)
		}
		if len(conn.idle) > maxPrepared {
			t.Fatalf("%d statements are kept", len(conn.idle))
		}
	}
	text := `SELECT i FROM n WHERE i = ?1`
	var before, got int
	_ = db.QueryRowContext(t.Context(), text, 1).Scan(&before)
	first := conn.idle[text]
	if err := db.QueryRowContext(t.Context(), text, 2).Scan(&got); err != nil || before != 1 || got != 2 || first == nil || conn.idle[text] != first {
		t.Errorf("got %d and %d, %v; kept %v, then %v", before, got, err, first, conn.idle[text])
	}
}

// TestSameStatementTwiceAtOnce: inside a transaction a query may run while rows of the same text are open.
func TestSameStatementTwiceAtOnce(t *testing.T) {
	t.Parallel()
	db, conn := onlyConn(t)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	const text = `SELECT i FROM n ORDER BY i`
	pairs := ""
	outer, err := tx.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = outer.Close() }()
	for outer.Next() {
		var a int
		if err := outer.Scan(&a); err != nil {
			t.Fatal(err)
		}
		for _, b := range numbers(t, tx, text) {
			pairs += fmt.Sprint(a, b, ";")
		}
	}
	if err := outer.Err(); err != nil || pairs != "1 1;1 2;1 3;2 1;2 2;2 3;3 1;3 2;3 3;" || conn.idle[text] == nil {
		t.Errorf("%q, %v, kept %v", pairs, err, conn.idle[text])
	}
}

func numbers(t *testing.T, tx *sql.Tx, text string) (all []int) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFailedAndHalfReadStatements: neither a refused statement nor one whose rows were left early disturbs the next,
// and a changed schema is seen.
func TestFailedAndHalfReadStatements(t *testing.T) {
	t.Parallel()
	db, conn := onlyConn(t)
	const insert = `INSERT INTO n (i) VALUES (?1)`
	for i, want := range []bool{true, false, true} { // 4 is new, 3 is there, 5 is new
		_, err := db.ExecContext(t.Context(), insert, []int{4, 3, 5}[i])
		if (err == nil) != want || (conn.idle[insert] != nil) != want {
			t.Errorf("insert %d: %v, kept %v", i, err, conn.idle[insert])
		}
	}
	half := func() {
		rows, err := db.QueryContext(t.Context(), `SELECT i FROM n`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		if !rows.Next() || rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	}
	half()
	var n int
	const all = `SELECT * FROM n WHERE i = 5`
	if err := db.QueryRowContext(t.Context(), all).Scan(&n); err != nil || n != 5 {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := db.ExecContext(t.Context(), `ALTER TABLE n ADD COLUMN j INTEGER DEFAULT 7`); err != nil {
		t.Fatal(err)
	}
	var j int
	if err := db.QueryRowContext(t.Context(), all).Scan(&n, &j); err != nil || j != 7 {
		t.Errorf("after a new column: %d, %v", j, err)
	}
}
