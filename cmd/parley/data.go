package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"parley"
	"parley/internal/config"
	"parley/internal/store"
)

// openExisting opens the data of a server for a command beside it. It makes no new database: an operator who
// mistypes the folder should hear so, not administer an empty server.
func openExisting(ctx context.Context, d config.Data) (*store.Store, error) {
	if file := d.Database(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no data in %s: run parley serve or parley migrate first, or name the folder with --data", d.Dir)
		}
	}
	return openStore(ctx, d, 0, nil)
}

// withStore runs do with the data of a server.
func withStore(ctx context.Context, d config.Data, do func(*store.Store) error) error {
	st, err := openExisting(ctx, d)
	if err != nil {
		return err
	}
	return errors.Join(do(st), st.Close())
}

// findOrg finds the organization that --org names, the default one when it is empty.
func findOrg(ctx context.Context, st *store.Store, idOrName string) (parley.Organization, error) {
	if idOrName != "" {
		org, err := st.FindOrganization(ctx, idOrName)
		if parley.IsNotFound(err) {
			return org, fmt.Errorf("there is no organization %q: parley org list shows all", idOrName)
		}
		return org, err
	}
	id, err := st.FindSetting(ctx, settingDefaultOrg)
	if parley.IsNotFound(err) {
		return parley.Organization{}, errors.New("there is no default organization yet: run parley serve once, or name one with --org")
	}
	if err != nil {
		return parley.Organization{}, err
	}
	return st.FindOrganization(ctx, id)
}

// newLogger writes to standard error, so that standard output stays for results.
func newLogger(s streams, c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // kong has checked the word
	opt := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(s.err, opt))
	}
	return slog.New(slog.NewTextHandler(s.err, opt))
}
