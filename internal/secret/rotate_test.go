package secret

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"testing"
)

// TestARunningServerFollowsARotation: a ring that was opened before seals with the new key at once, opens what
// others sealed with it, and keeps its identity when the old key is gone.
func TestARunningServerFollowsARotation(t *testing.T) {
	t.Parallel()
	server, path := ring(t)
	old := server.Seal("a", []byte("old"))
	token := server.Derive("x")
	shell, err := OpenRing(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Prepare(); err != nil || shell.Old(old) || shell.HasOld() || server.Seal("a", nil)[4] != 1 {
		t.Fatalf("a prepared key seals: %v", err)
	}
	if err := shell.Rotate(); err != nil || len(shell.state.Load().keys) != 2 || !shell.Old(old) {
		t.Fatalf("rotated: %v, %d keys", err, len(shell.state.Load().keys))
	}
	fresh := shell.Seal("a", []byte("new"))
	if plain, err := server.Open("a", fresh); err != nil || string(plain) != "new" {
		t.Fatalf("the server: %q, %v", plain, err)
	}
	if !bytes.Equal(server.Seal("a", nil)[1:5], fresh[1:5]) {
		t.Fatal("the server seals with the old key")
	}
	if err := shell.DropOld(); !errors.Is(err, ErrSettling) {
		t.Fatalf("dropped at once: %v", err)
	}
	age(t, shell)
	if err := shell.DropOld(); err != nil || shell.HasOld() {
		t.Fatal(err)
	}
	again, err := OpenRing(path, false)
	if err != nil || again.Fingerprint() != server.Fingerprint() || !bytes.Equal(again.Derive("x"), token) {
		t.Fatalf("the identity changed: %v", err)
	}
	if _, err := again.Open("a", old); !errors.Is(err, ErrSealed) {
		t.Fatalf("a dropped key opens: %v", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// age makes the keys old.
func age(t *testing.T, r *Ring) {
	t.Helper()
	err := r.change(func(keys []key) ([]key, error) {
		for i := range keys {
			keys[i].CreatedAt = "2026-01-01T00:00:00Z"
		}
		return keys, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRotationsAtOnceLoseNoKey(t *testing.T) {
	t.Parallel()
	r, path := ring(t)
	var wg sync.WaitGroup
	sealed := make([][]byte, 8)
	for i := range sealed {
		wg.Go(func() {
			mine, err := OpenRing(path, false)
			if err == nil {
				err = mine.Rotate()
			}
			if err != nil {
				t.Error(err)
				return
			}
			sealed[i] = mine.Seal("a", []byte("x"))
		})
	}
	wg.Wait()
	for i, v := range sealed {
		if _, err := r.Open("a", v); err != nil {
			t.Errorf("value %d: %v", i, err)
		}
	}
}

func TestABrokenFileChangesNothing(t *testing.T) {
	t.Parallel()
	r, path := ring(t)
	sealed := r.Seal("a", []byte("x"))
	_, other := ring(t)
	for _, put := range []func() error{
		func() error { return os.WriteFile(path, []byte("{"), 0o600) },
		func() error { return os.Rename(other, path) }, // of another server
		func() error { return os.Remove(path) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if plain, err := r.Open("a", sealed); err != nil || string(plain) != "x" || r.Seal("a", nil)[4] != 1 {
			t.Errorf("%q, %v", plain, err)
		}
	}
}
