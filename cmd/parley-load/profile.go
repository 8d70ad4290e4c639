package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profile takes profiles of the subject for a while, into a folder; with none it does nothing. The returned function
// waits for them.
func (s *server) profile(ctx context.Context, dir, name string, d time.Duration) (wait func() error) {
	if dir == "" {
		return func() error { return nil }
	}
	base := s.url
	if s.debug != "" {
		base = s.debug
	}
	client := &http.Client{Timeout: d + time.Minute}
	save := func(path, file string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/debug/pprof/"+path, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+file), raw, 0o600)
	}
	done := make(chan error, 1)
	go func() {
		err := save(fmt.Sprintf("profile?seconds=%d", int(d.Seconds())), ".cpu")
		done <- errors.Join(err, save("heap?gc=1", ".heap"), save("goroutine?debug=1", ".goroutines"), save("heap?debug=1", ".memory"))
	}()
	return func() error { return <-done }
}
