// Package secret seals credentials at rest and derives the keys of tokens, both from one key ring in a file.
//
// It protects a stolen database, not a stolen data folder: the ring lies in the folder by default. It knows
// nothing of what it seals.
package secret

import (
	"bytes"
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
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const keyBytes = 32

// key is one entry of the ring's file.
type key struct {
	ID        uint32 `json:"id"`
	Key       []byte `json:"key"` // 32 bytes, base64
	CreatedAt string `json:"createdAt"`
	Pending   bool   `json:"pending,omitempty"` // opens, but does not seal yet
	Retired   bool   `json:"retired,omitempty"` // neither seals nor opens: it is kept for tokens
}

// Ring holds the keys; the last one that is not pending seals, all of them open. It follows its file: what a
// rotation writes there counts from the next value on. Safe for concurrent use.
type Ring struct {
	path    string
	loading sync.Mutex
	state   atomic.Pointer[state]
}

// state is the ring as it was read.
type state struct {
	keys []key
	info os.FileInfo // of the file, to see that it was replaced
}

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
	if !slices.ContainsFunc(file.Keys, key.seals) {
		return nil, fmt.Errorf("key ring %s holds no key: restore it from a backup", filepath.Base(path))
	}
	r := &Ring{path: path}
	r.state.Store(&state{file.Keys, info})
	return r, nil
}

func (k key) seals() bool { return !k.Pending && !k.Retired }

// current is the ring as its file is now. A file that cannot be read, or that has no key in common with what was
// read before, changes nothing: the server goes on with what it has.
func (r *Ring) current() *state {
	s := r.state.Load()
	if info, err := os.Stat(r.path); err != nil || s.same(info) {
		return s
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	fresh, err := readRing(r.path)
	s = r.state.Load()
	if err != nil || !slices.ContainsFunc(fresh.state.Load().keys, s.has) {
		return s
	}
	r.state.Store(fresh.state.Load())
	return r.state.Load()
}

func (s *state) same(info os.FileInfo) bool {
	return os.SameFile(s.info, info) && s.info.ModTime().Equal(info.ModTime()) && s.info.Size() == info.Size()
}

func (s *state) has(k key) bool {
	return slices.ContainsFunc(s.keys, func(mine key) bool { return mine.ID == k.ID && bytes.Equal(mine.Key, k.Key) })
}

// sealing is the key that seals.
func (s *state) sealing() key {
	for _, k := range slices.Backward(s.keys) {
		if k.seals() {
			return k
		}
	}
	panic("secret: a ring without a key that seals") // refused when it was read
}

// makeRing writes a ring with one key under a temporary name and links it into place: link fails when the name
// is taken, and nobody ever reads a half-written file.
func makeRing(path string) error {
	return putRing(path, []key{newKey(1)}, os.Link)
}

func newKey(id uint32) key {
	k := key{ID: id, Key: make([]byte, keyBytes), CreatedAt: time.Now().UTC().Format(time.RFC3339)}
	_, _ = rand.Read(k.Key)
	return k
}

// putRing writes keys under a temporary name, to disk, and puts them into place.
func putRing(path string, keys []key, put func(from, to string) error) error {
	raw, err := json.MarshalIndent(map[string][]key{"keys": keys}, "", "  ")
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
	if err := put(f.Name(), path); err != nil {
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
	k := r.current().sealing()
	out := binary.BigEndian.AppendUint32([]byte{sealVersion}, k.ID)
	return k.aead().Seal(out, nil, plain, []byte(aad))
}

// Open decrypts what Seal made with the same aad, with whichever key of the ring sealed it.
func (r *Ring) Open(aad string, sealed []byte) ([]byte, error) {
	if len(sealed) < 5 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	k, ok := r.state.Load().find(sealed)
	if !ok {
		k, ok = r.current().find(sealed) // another process may have rotated
	}
	if !ok {
		return nil, ErrSealed
	}
	plain, err := k.aead().Open(nil, nil, sealed[5:], []byte(aad))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// find is the key that sealed a value.
func (s *state) find(sealed []byte) (key, bool) {
	id := binary.BigEndian.Uint32(sealed[1:5])
	for _, k := range s.keys {
		if k.ID == id && !k.Retired {
			return k, true
		}
	}
	return key{}, false
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
	out, err := hkdf.Key(sha256.New, r.state.Load().keys[0].Key, nil, "parley/"+purpose, keyBytes)
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
