package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"parley/internal/config"
	"parley/internal/store"
)

type migrateCmd struct {
	config.Data `embed:""`
}

// Run applies migrations. It makes the SQLite file when there is none.
func (c *migrateCmd) Run(ctx context.Context, s streams) error {
	if err := makeFolder(c.Dir); err != nil {
		return err
	}
	st, err := openStore(ctx, c.Data, 0, nil)
	if err != nil {
		return err
	}
	if err := st.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "The database is up to date.")
	return err
}

func openStore(ctx context.Context, d config.Data, delay time.Duration, logger *slog.Logger) (*store.Store, error) {
	return store.Open(ctx, store.Options{Path: d.Database(), URL: d.DatabaseURL, CommitDelay: delay, Logger: logger})
}

// makeFolder makes the data folder for its owner only. A folder that exists keeps its mode.
func makeFolder(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("the data folder %s cannot be made: choose another with --data, or allow this user to write there", dir)
	}
	return fmt.Errorf("making the data folder: %w", err)
}
