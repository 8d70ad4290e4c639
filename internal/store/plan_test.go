package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// scansAllowed are the statements about the whole server: they read small tables to the end.
var scansAllowed = regexp.MustCompile(`^SELECT id, COALESCE.* FROM organization ORDER|^SELECT COUNT\(\*\) FROM (api_key|organization|tool WHERE headers)`)

// Every statement must reach its rows through an index. The plans are asked for with the arguments that the
// methods really pass.
func TestNoStatementScansATable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		seen := observe(st, func() { callEverything(t, st) })
		conn, err := st.Writer().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if st.Dialect() == "postgres" { // tables are nearly empty: a scan must be shown only where nothing else is possible
			if _, err := conn.ExecContext(t.Context(), `SET enable_seqscan = off`); err != nil {
				t.Fatal(err)
			}
		}
		checked := map[string]bool{}
		for _, s := range seen {
			if checked[s.query] || strings.Contains(s.query, "SAVEPOINT") || scansAllowed.MatchString(s.query) {
				continue
			}
			checked[s.query] = true
			if plan := explain(t, conn, st.Dialect(), s.query, s.args); scans(plan) {
				t.Errorf("%s\n%s", s.query, plan)
			}
		}
		if len(checked) < 40 {
			t.Errorf("only %d statements were seen", len(checked))
		}
	})
}

type statement struct {
	query string
	args  []any
}

// observe returns the statements that run executes.
func observe(st *store.Store, run func()) (seen []statement) {
	st.Observe(func(query string, args []any) { seen = append(seen, statement{query, args}) })
	defer st.Observe(nil)
	run()
	return seen
}

func explain(t *testing.T, conn *sql.Conn, dialect, query string, args []any) string {
	t.Helper()
	prefix := "EXPLAIN "
	if dialect == "sqlite" {
		prefix = "EXPLAIN QUERY PLAN "
	}
	rows, err := conn.QueryContext(t.Context(), prefix+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		var ignored int
		into := []any{&line}
		if dialect == "sqlite" {
			into = []any{&ignored, &ignored, &ignored, &line}
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// noScan are SQLite's words for reading what is no table: constants, a named subquery, a match of FTS5.
var noScan = regexp.MustCompile(`^SCAN (CONSTANT ROW|.* VALUES( CLAUSE)?|page|m|w|c|(agent_gram|passage_word) VIRTUAL TABLE INDEX \d+:M\d+)$`)

// scans reports a full scan: of a table, or of a whole index without a condition.
func scans(plan string) bool {
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "SCAN ") && !noScan.MatchString(line) || strings.Contains(line, "Seq Scan on") {
			return true
		}
	}
	return false
}

func TestScansAreRecognized(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		conn, err := st.Writer().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		plan := explain(t, conn, st.Dialect(), `SELECT id FROM agent WHERE instructions = 'x'`, nil)
		if !scans(plan) {
			t.Errorf("not recognized: %s", plan)
		}
	})
}

// callEverything runs each method once, with results, so that nested statements run too.
func callEverything(t *testing.T, st *store.Store) {
	t.Helper()
	org := storetest.Organization(t, st)
	agent := storetest.Agent(t, st, org.ID, parley.AgentVoice, "+15550100001")
	call := storetest.Call(t, st, agent)
	key := parley.APIKey{ID: parley.NewID(), CreatedAt: storetest.Now()}
	run := store.Run{ID: parley.NewID(), ConversationID: call.ID, Attempt: 1, Status: store.RunRunning, LeaseUntil: storetest.Now().Add(time.Hour)}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		_, _, _, attach := tx.AttachStream(ctx, []byte("t"), call.CallSID, "MZ", "p", time.Now())
		if !parley.IsNotFound(attach) {
			return attach
		}
		if err := errors.Join(
			tx.CreateAPIKey(ctx, org.ID, key, []byte("hash")),
			tx.CreateRun(ctx, org.ID, run),
			tx.CreateTestCall(ctx, org.ID, call.ID, "CA", time.Now()),
			tx.SetSetting(ctx, "k", "v"),
			tx.BeatProcess(ctx, "p", false),
			tx.AppendAudit(ctx, org.ID, parley.AuditEntry{ID: parley.NewID(), At: storetest.Now()}),
			tx.AppendEvents(ctx, org.ID, call.ID, 0, []parley.Event{{Seq: 1, Type: "x", Data: []byte("{}")}}),
			tx.SetCredentials(ctx, org.ID, store.SealedCredentials{}),
			tx.UpdateAgent(ctx, org.ID, agent),
			tx.CreateTool(ctx, org.ID, storetest.NewTool(org.ID, "Look up")),
			tx.CreateDocument(ctx, org.ID, storetest.NewDocument(agent, "Prices"), []parley.Passage{{Text: "A room costs 90 euros."}}),
			tx.SaveNote(ctx, org.ID, "+1", parley.Note{Key: "k", Text: "t"}),
			tx.AddNumber(ctx, org.ID, parley.PhoneNumber{ID: parley.NewID(), Number: "+15550100077", AgentID: agent.ID, CreatedAt: storetest.Now()}),
		); err != nil {
			return err
		}
		if _, err := tx.DeleteProcess(ctx, "p", 0); err != nil {
			return err
		}
		if err := tx.AppendChunks(ctx, org.ID, run, []store.Chunk{{Seq: 1}}); err != nil {
			return err
		}
		if _, err := tx.SweepIdempotency(ctx, time.Now()); err != nil {
			return err
		}
		if err := tx.SweepVisitors(ctx, time.Now(), 1); err != nil {
			return err
		}
		for _, try := range storetest.Tenancy(agent, agent, call, key, run) {
			err := tx.Savepoint(ctx, func() error { return try(ctx, tx, org.ID) })
			if store.IsBroken(err) {
				return err
			}
		}
		_, e0 := tx.ExpireRuns(ctx, "p")
		_, e1 := tx.ExpireRuns(ctx, "")
		_, e2 := tx.SweepChunks(ctx, time.Now().Add(time.Hour))
		return errors.Join(e0, e1, e2)
	})
	ctx := t.Context()
	for _, sort := range []string{"createdAt", "updatedAt", "name"} {
		_, err := st.ListAgents(ctx, org.ID, parley.AgentFilter{Sort: sort, Search: "a", Type: parley.AgentVoice, Status: parley.AgentActive, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []parley.ToolFilter{{}, {Kind: parley.ToolHTTP, Category: "c", Search: "a", Sort: "name"}} {
		if _, _, err := st.ListTools(ctx, org.ID, f); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []parley.ConversationFilter{{}, {AgentID: agent.ID}, {StartedAfter: time.Now(), StartedBefore: time.Now(), Search: "a", Channel: "phone", Status: "active"}} {
		if _, _, err := st.ListConversations(ctx, org.ID, f); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []parley.NumberFilter{{}, {AgentID: agent.ID, Search: "a"}, {Unassigned: true}} {
		if _, _, err := st.ListNumbers(ctx, org.ID, f); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []parley.AuditFilter{{}, {ResourceType: "agent"}, {ResourceID: agent.ID}, {ActorID: key.ID}, {After: time.Now(), Before: time.Now()}} {
		if _, _, err := st.ListAudit(ctx, org.ID, f); err != nil {
			t.Fatal(err)
		}
	}
	_, _, e0 := st.FindKeyHolder(ctx, []byte("hash"))
	_, e1 := st.FindAgentOrganization(ctx, agent.ID)
	_, e2 := st.FindPhoneNumber(ctx, "+1")
	_, e3 := st.FindCallBySID(ctx, call.CallSID)
	_, e4 := st.FindStreamToken(ctx, []byte("x"), time.Now())
	_, e5 := st.ListStaleCalls(ctx, parley.CallLive, time.Now(), 5)
	_, e6 := st.FindAPIKeyByHash(ctx, []byte("hash"))
	_, e7 := st.FindOrganization(ctx, org.Name)
	_, e8 := st.FindSetting(ctx, "k")
	_, e9 := st.FindAgent(ctx, org.ID, agent.ID)
	_, e10 := st.ListProcesses(ctx)
	_, e11 := st.ListLiveCalls(ctx, "p", 5)
	_, e12 := st.ListOverCalls(ctx, time.Now(), 5)
	_, e13 := st.ListExpiredRuns(ctx, time.Now(), 5)
	_, e14 := st.ListStoppedRuns(ctx, "p")
	if st.SharesRates() {
		_, err := st.RefillRate(ctx, store.RateRequest{Key: org.ID, Interval: time.Second, Window: time.Minute, Demand: 1, Lease: 1})
		_, sweep := st.SweepRates(ctx, "")
		e9 = errors.Join(e9, err, sweep)
	}
	_, _, login := st.FindLoginHolder(ctx, []byte("hash"), time.Now())
	_, e15 := st.FindWidgetAgent(ctx, agent.ID)
	_, e16 := st.FindVisitorSession(ctx, []byte("hash"))
	_, e17 := st.HasSealed(ctx)
	_, e18 := st.FindReplacedSession(ctx, []byte("hash"), time.Now())
	_, e19 := st.ListDeferredFeedback(ctx, time.Now(), 5)
	for i, err := range []error{login, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15, e16, e17, e18, e19} {
		if err != nil && !parley.IsNotFound(err) {
			t.Fatal(fmt.Errorf("call %d: %w", i, err))
		}
	}
}

// A search in documents goes to the words of one agent, however many others use the same words.
func TestDocumentSearchUsesItsIndex(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		org := storetest.Organization(t, st)
		agent := storetest.Agent(t, st, org.ID, parley.AgentChat)
		others := []parley.Agent{storetest.Agent(t, st, org.ID, parley.AgentChat), storetest.Agent(t, st, storetest.Organization(t, st).ID, parley.AgentChat)}
		for i := range 100 { // 5,000 passages of others, half of them in another organization
			busy := others[i%2]
			passages := make([]parley.Passage, 50)
			for j := range passages {
				passages[j] = parley.Passage{Text: fmt.Sprintf("Refund number %d of %d within fourteen days.", j, i)}
			}
			storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
				return tx.CreateDocument(ctx, busy.OrgID, storetest.NewDocument(busy, fmt.Sprint(i)), passages)
			})
		}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateDocument(ctx, org.ID, storetest.NewDocument(agent, "Terms"), []parley.Passage{{Text: "A refund takes a day."}})
		})
		if st.Dialect() == "postgres" {
			if _, err := st.Writer().ExecContext(t.Context(), `ANALYZE`); err != nil {
				t.Fatal(err)
			}
		}
		seen := observe(st, func() {
			found, err := st.SearchPassages(t.Context(), org.ID, agent.ID, "refunds", 5)
			if err != nil || len(found) != 1 {
				t.Errorf("found %v, %v", found, err)
			}
		})
		conn, err := st.Writer().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		index := map[string]string{"sqlite": "passage_word VIRTUAL TABLE INDEX", "postgres": "Bitmap Index Scan on passage_words"}[st.Dialect()]
		if plan := explain(t, conn, st.Dialect(), seen[0].query, seen[0].args); !strings.Contains(plan, index) || scans(plan) {
			t.Errorf("want %s:\n%s", index, plan)
		}
	})
}
