package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store { return storetest.SQLite(t) })
}

func TestConformancePostgres(t *testing.T) {
	t.Parallel()
	storetest.PostgresURL(t) // skip once, not in each case
	storetest.Run(t, func(t *testing.T) *store.Store { return storetest.Postgres(t) })
}
