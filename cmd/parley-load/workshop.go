package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// workshop is where a command works: a folder, and the server in it, built from this repository.
type workshop struct {
	dir, binary string
	keep        bool
	progress    io.Writer
}

// openWorkshop makes the folder and builds the server. It must be closed; keep leaves the folder behind then.
func openWorkshop(ctx context.Context, progress io.Writer, keep bool, flags ...string) (workshop, error) {
	dir, err := os.MkdirTemp("", "parley-load-")
	if err != nil {
		return workshop{}, fmt.Errorf("making a folder: %w", err)
	}
	w := workshop{dir: dir, binary: filepath.Join(dir, "parley"), keep: keep, progress: progress}
	_, _ = fmt.Fprintln(progress, "building the server")
	if err := buildServer(ctx, w.binary, flags...); err != nil {
		return workshop{}, errors.Join(err, w.close())
	}
	return w, nil
}

// close removes the folder, or says where it is.
func (w workshop) close() error {
	if w.keep {
		_, _ = fmt.Fprintln(w.progress, "data and logs are kept in", w.dir)
		return nil
	}
	return os.RemoveAll(w.dir)
}

// judged is the error of a command that has measured: something that was wrong is one, too.
func judged(ok bool, err error) error {
	if err == nil && !ok {
		return errFaults
	}
	return err
}
