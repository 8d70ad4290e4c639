package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func ring(t *testing.T) (*Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.keys")
	r, err := OpenRing(path, true)
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

func TestSealedValuesOpenOnlyWhereTheyBelong(t *testing.T) {
	t.Parallel()
	r, _ := ring(t)
	sealed := r.Seal("org1|token", []byte("s3cret"))
	if plain, err := r.Open("org1|token", sealed); err != nil || string(plain) != "s3cret" {
		t.Fatalf("got %q, %v", plain, err)
	}
	if bytes.Contains(sealed, []byte("s3cret")) || bytes.Equal(sealed, r.Seal("org1|token", []byte("s3cret"))) {
		t.Fatal("sealing shows the secret or repeats itself")
	}
	if _, err := r.Open("org2|token", sealed); !errors.Is(err, ErrSealed) {
		t.Fatalf("opened for another organization: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := r.Open("org1|token", bad); !errors.Is(err, ErrSealed) {
			t.Fatalf("opened with byte %d altered", i)
		}
	}
	if _, err := r.Open("org1|token", nil); !errors.Is(err, ErrSealed) {
		t.Fatalf("opened nothing: %v", err)
	}
	other, _ := ring(t)
	if _, err := other.Open("org1|token", sealed); !errors.Is(err, ErrSealed) {
		t.Fatalf("opened with another ring: %v", err)
	}
}

func TestRotationKeepsOldValuesReadable(t *testing.T) {
	t.Parallel()
	r, path := ring(t)
	sealed := r.Seal("a", []byte("old"))
	keys := append(slices.Clone(r.state.Load().keys), key{ID: 2, Key: bytes.Repeat([]byte{7}, keyBytes)})
	raw, _ := json.Marshal(map[string][]key{"keys": keys})
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	rotated, err := OpenRing(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := rotated.Open("a", sealed); err != nil || string(plain) != "old" {
		t.Fatalf("got %q, %v", plain, err)
	}
	if rotated.Seal("a", nil)[4] != 2 || rotated.Fingerprint() != r.Fingerprint() || !bytes.Equal(rotated.Derive("x"), r.Derive("x")) {
		t.Fatal("the newest key seals; the identity stays")
	}
	if bytes.Equal(r.Derive("x"), r.Derive("y")) {
		t.Fatal("two purposes share a key")
	}
}

func TestTwoProcessesThatStartTogetherShareOneRing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.keys")
	var wg sync.WaitGroup
	prints := make([]string, 8)
	for i := range prints {
		wg.Go(func() {
			r, err := OpenRing(path, true)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = r.Fingerprint()
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p != prints[0] {
			t.Fatalf("different rings: %q", prints)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v", info.Mode())
	}
}

func TestUnusableRingsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := OpenRing(filepath.Join(t.TempDir(), "none"), false); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("missing ring: %v", err)
	}
	for name, content := range map[string]string{
		"not JSON": "x", "no key": `{"keys":[]}`, "short key": `{"keys":[{"id":1,"key":"AAAA"}]}`,
	} {
		path := filepath.Join(t.TempDir(), "secret.keys")
		_ = os.WriteFile(path, []byte(content), 0o600)
		if _, err := OpenRing(path, true); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, path := ring(t)
	_ = os.Chmod(path, 0o644)
	if _, err := OpenRing(path, true); err == nil {
		t.Error("a ring that others can read was accepted")
	}
}
