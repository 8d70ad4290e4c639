package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"parley"
)

// dialect holds the few true differences between the databases.
type dialect struct {
	name string
	// oneWriter says that transactions that write run one after the other.
	oneWriter bool
	// numbered is the byte that begins a placeholder: statements are written with $n, SQLite takes ?n.
	numbered byte
	// lockRow ends a SELECT that must hold its row until the transaction ends. NO KEY leaves room for
	// foreign key checks by others. SQLite needs none: it has one writer.
	lockRow string
	// skipLocked ends a SELECT of rows to delete that other transactions may be deleting too.
	skipLocked string
	// indexedBy names the index that a query must use. SQLite takes the index with the most equalities, even
	// where another one gives the order; PostgreSQL decides by its statistics and has no such words.
	indexedBy string
	// named is agent_search with its index of names, and matches the condition that the index answers for
	// (organization, folded text). candidates is the index alone, "" where it cannot be read so.
	named, matches, candidates string
	// passages is where passages are found by their words, found the condition on the query ($1), and nearer orders by it.
	passages, found, nearer string
	// match writes a search for words in the database's own syntax.
	match func(scope string, terms []term) string
	// replan is a query's first argument when its plan must fit its values. PostgreSQL would otherwise plan a
	// statement for any values after it has seen it five times.
	replan any
	// position is the function (text, part) that answers a number above 0 when text contains part. LIKE is
	// not used for it: on SQLite it folds ASCII case by itself and bounds the pattern.
	position string
}

var (
	sqliteDialect = dialect{name: "sqlite", oneWriter: true, numbered: '?', position: "instr", indexedBy: " INDEXED BY ",
		named: "agent_gram CROSS JOIN agent_search ON key = agent_gram.rowid", matches: "agent_gram MATCH parley_match($?, $?)", candidates: "agent_gram",
		passages: "passage_word CROSS JOIN passage p ON p.key = passage_word.rowid", found: "passage_word MATCH $1", nearer: "bm25(passage_word)", match: ftsMatch}
	postgresDialect = dialect{name: "postgres", numbered: '$', lockRow: " FOR NO KEY UPDATE", skipLocked: " FOR UPDATE SKIP LOCKED", position: "strpos",
		named: "agent_search", matches: "parley_grams(org_id, name_folded) @> parley_match($?, $?)", replan: pgx.QueryExecModeCacheDescribe,
		passages: "passage p", found: "parley_vector(p.words) @@ $1::text::tsquery", nearer: "ts_rank_cd(parley_vector(p.words), $1::text::tsquery) DESC", match: tsMatch}
)

// using names the index for a query of SQLite.
func (d dialect) using(index string) string {
	if d.indexedBy == "" {
		return ""
	}
	return d.indexedBy + index
}

// rewrite turns $n into the database's placeholder. No statement of this package has a literal with a
// dollar sign.
func (d dialect) rewrite(query string) string {
	if d.numbered == '$' {
		return query
	}
	return strings.ReplaceAll(query, "$", string(d.numbered))
}

// retryable reports whether the database asks for the same transaction again (PostgreSQL class 40).
func (d dialect) retryable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}

// IsPermanent reports whether a statement would fail the same way each time it is tried: the data or the
// statement is at fault, not the connection, the disk or another transaction.
func IsPermanent(err error) bool {
	if _, ok := errors.AsType[*parley.Error](err); ok {
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && len(pg.Code) == 5 {
		switch pg.Code[:2] {
		case "22", "23", "42", "54", "P0": // data, constraint, statement, program limit, raised by a trigger
			return true
		}
		return false
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff { // the low byte is the primary result code
		case sqlitelib.SQLITE_ERROR, sqlitelib.SQLITE_CONSTRAINT, sqlitelib.SQLITE_MISMATCH,
			sqlitelib.SQLITE_TOOBIG, sqlitelib.SQLITE_RANGE:
			return true
		}
	}
	return false
}
