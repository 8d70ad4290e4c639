package secret

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Sealed values come from a database that may have been tampered with.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "secret.keys")
	r, err := OpenRing(path, true)
	if err != nil {
		f.Fatal(err)
	}
	sealed := r.Seal("aad", []byte("plain"))
	f.Add("aad", sealed)
	f.Add("aad", sealed[:5])
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, aad string, blob []byte) {
		plain, err := r.Open(aad, blob)
		if aad == "aad" && bytes.Equal(blob, sealed) {
			if err != nil || string(plain) != "plain" {
				t.Fatalf("the original does not open: %v", err)
			}
			return
		}
		if !errors.Is(err, ErrSealed) {
			t.Fatalf("opened something that was never sealed: %q, %v", plain, err)
		}
	})
}

// The ring's file is edited by people.
func FuzzReadRing(f *testing.F) {
	f.Add([]byte(`{"keys":[{"id":1,"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`))
	f.Add([]byte(`{"keys":[{"id":1,"key":""},{"id":1}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "secret.keys")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := OpenRing(path, true)
		if err != nil {
			return
		}
		if plain, err := r.Open("a", r.Seal("a", []byte("x"))); err != nil || string(plain) != "x" {
			t.Fatalf("a ring that was accepted does not work: %v", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Fatal("the file was rewritten")
		}
	})
}
