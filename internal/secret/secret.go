// Package secret seals credentials at rest and derives the keys of tokens, both from one key ring in a file.
//
// It protects a stolen database, not a stolen data folder: the ring lies in the folder by default. It knows
// nothing of what it seals.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const keyBytes = 32

// key is one entry of the ring's file.
type key struct {
	ID        uint32 `json:"id"`
	Key       []byte `json:"key"` // 32 bytes, base64
	CreatedAt string `json:"createdAt"`
}

// Ring holds the keys; the last one seals, all of them open. It is immutable and safe for concurrent use.
type Ring struct{ keys []key }

// ErrSealed says that a sealed value does not open: it was altered, copied from elsewhere, or its key is gone.
var ErrSealed = errors.New("sealed value does not open with this key ring")

// OpenRing reads the ring from its file. With create it makes the file first if there is none: exclusively, so
// that of two processes that start together one makes it and the other reads it, readable by its owner only,
// and synced to disk before it is used.
func OpenRing(path string, create bool) (*Ring, error) {
	r, err := readRing(path)
	if !errors.Is(err, os.ErrNotExist) || !create {
		return r, err
	}
	if err := makeRing(path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make key ring: %w", err)
	}
	return readRing(path)
}

func readRing(path string) (*Ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key ring: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key ring %s can be read by others: chmod 600 it", filepath.Base(path))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key ring: %w", err)
	}
	var file struct {
		Keys []key `json:"keys"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("key ring %s is not readable: restore it from a backup", filepath.Base(path))
	}
	seen := map[uint32]bool{}
	for _, k := range file.Keys {
		if len(k.Key) != keyBytes || seen[k.ID] {
			return nil, fmt.Errorf("key ring %s holds a malformed key: restore it from a backup", filepath.Base(path))
		}
		seen[k.ID] = true
	}
	if len(file.Keys) == 0 {
		return nil, fmt.Errorf("key ring %s holds no key: restore it from a backup", filepath.Base(path))
	}
	return &Ring{keys: file.Keys}, nil
}

// makeRing writes a ring with one key under a temporary name and links it into place: link fails when the name
// is taken, and nobody ever reads a half-written file.
func makeRing(path string) error {
	k := key{ID: 1, Key: make([]byte, keyBytes), CreatedAt: time.Now().UTC().Format(time.RFC3339)}
	_, _ = rand.Read(k.Key)
	raw, err := json.MarshalIndent(map[string][]key{"keys": {k}}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // 0600, exclusive
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

const sealVersion = 1

// Seal encrypts plain with AES-256-GCM, bound to aad (say what and whose it is). The result is
// version byte, key id, nonce, ciphertext.
func (r *Ring) Seal(aad string, plain []byte) []byte {
	k := r.keys[len(r.keys)-1]
	out := binary.BigEndian.AppendUint32([]byte{sealVersion}, k.ID)
	return k.aead().Seal(out, nil, plain, []byte(aad))
}

// Open decrypts what Seal made with the same aad, with whichever key of the ring sealed it.
func (r *Ring) Open(aad string, sealed []byte) ([]byte, error) {
	if len(sealed) < 5 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	id := binary.BigEndian.Uint32(sealed[1:5])
	for _, k := range r.keys {
		if k.ID != id {
			continue
		}
		plain, err := k.aead().Open(nil, nil, sealed[5:], []byte(aad))
		if err != nil {
			return nil, ErrSealed
		}
		return plain, nil
	}
	return nil, ErrSealed
}

func (k key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.Key)
	if err != nil {
		panic(err) // the length was checked when the ring was read
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has GCM's block size
	}
	return aead
}

// Derive returns a 32-byte key for a purpose, always the same for the same ring (HKDF-SHA256 of the first
// key, so that rotation of sealing does not void tokens).
func (r *Ring) Derive(purpose string) []byte {
	out, err := hkdf.Key(sha256.New, r.keys[0].Key, nil, "parley/"+purpose, keyBytes)
	if err != nil {
		panic(err) // 32 bytes are within HKDF's bound
	}
	return out
}

// Fingerprint identifies the ring without telling anything about its keys. It is stored in the database, so
// that a server refuses to start with another ring.
func (r *Ring) Fingerprint() string {
	sum := sha256.Sum256(r.Derive("fingerprint"))
	return hex.EncodeToString(sum[:8])
}
