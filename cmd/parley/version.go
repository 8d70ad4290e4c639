package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"parley/internal/store"
)

// apiVersion is the version of the API document: it changes with the API, not with each build.
const apiVersion = "1.0.0"

// version is the release; a release build sets it with -ldflags "-X main.version=…".
var version = "dev"

type versionCmd struct{}

// Run prints version, commit and SQLite's version.
func (versionCmd) Run(ctx context.Context, s streams) error {
	sqlite, err := store.SQLiteVersion(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "parley %s\ncommit %s\n%s\nSQLite %s\n", version, commit(), runtime.Version(), sqlite)
	return err
}

// commit is what the Go tool recorded; "unknown" in builds outside of a repository, such as go run.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, changed := "unknown", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changed = " (with changes)"
			}
		}
	}
	return revision + changed
}
