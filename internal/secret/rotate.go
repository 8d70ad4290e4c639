package secret

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// settle is how old the sealing key must be before older ones are dropped: longer than any change that a server
// began with the key before it can take.
const settle = 2 * time.Minute

// ErrSettling says that the newest key is too new for older ones to be dropped.
var ErrSettling = errors.New("the newest key is not two minutes old: a change that began before it may still be under way. Try again then")

// Prepare adds a key to the ring's file that opens but does not seal yet, unless there is one. It is for several
// nodes: each must have the key before anything is sealed with it.
func (r *Ring) Prepare() error {
	return r.change(func(keys []key) ([]key, error) {
		if slices.ContainsFunc(keys, func(k key) bool { return k.Pending }) {
			return keys, nil
		}
		k := freshKey(keys)
		k.Pending = true
		return append(keys, k), nil
	})
}

// Rotate makes a new key the one that seals: the prepared one, if there is one.
func (r *Ring) Rotate() error {
	return r.change(func(keys []key) ([]key, error) {
		k := freshKey(keys)
		if i := slices.IndexFunc(keys, func(k key) bool { return k.Pending }); i >= 0 {
			k.ID, k.Key = keys[i].ID, keys[i].Key
			keys = slices.Delete(keys, i, i+1)
		}
		return append(keys, k), nil
	})
}

// DropOld removes the keys that no longer seal. The caller has made sure that nothing is sealed with them. The
// first one stays for the keys of tokens, which are derived from it, and opens nothing from then on.
func (r *Ring) DropOld() error {
	return r.change(func(keys []key) ([]key, error) {
		sealing := (&state{keys: keys}).sealing()
		made, err := time.Parse(time.RFC3339, sealing.CreatedAt)
		if err == nil && time.Since(made) < settle {
			return nil, ErrSettling
		}
		var kept []key
		for i, k := range keys {
			if i == 0 && k.ID != sealing.ID {
				k.Retired = true
				kept = append(kept, k)
			} else if k.ID == sealing.ID || k.Pending {
				kept = append(kept, k)
			}
		}
		return kept, nil
	})
}

// Old reports whether a value is sealed with a key of the ring that does not seal any more.
func (r *Ring) Old(sealed []byte) bool {
	if len(sealed) < 5 {
		return false
	}
	s := r.state.Load()
	k, ok := s.find(sealed)
	return ok && k.ID != s.sealing().ID
}

// HasOld reports whether the ring holds keys that open but do not seal any more.
func (r *Ring) HasOld() bool {
	s := r.current()
	return slices.ContainsFunc(s.keys, func(k key) bool { return k.seals() && k.ID != s.sealing().ID })
}

// freshKey makes a key with an id that no key of this ring has, and hardly one of a ring that another node has
// rotated by itself.
func freshKey(keys []key) key {
	for {
		var id [4]byte
		_, _ = rand.Read(id[:])
		k := newKey(binary.BigEndian.Uint32(id[:]))
		if !slices.ContainsFunc(keys, func(other key) bool { return other.ID == k.ID }) {
			return k
		}
	}
}

// change replaces the file by one with other keys: at once, on disk, one process at a time.
func (r *Ring) change(edit func([]key) ([]key, error)) error {
	unlock, err := lockFolder(r.path)
	if err != nil {
		return fmt.Errorf("locking the key ring: %w", err)
	}
	defer unlock()
	now, err := readRing(r.path)
	if err != nil {
		return err
	}
	keys, err := edit(slices.Clone(now.state.Load().keys))
	if err != nil {
		return err
	}
	if err := putRing(r.path, keys, os.Rename); err != nil {
		return fmt.Errorf("replacing the key ring: %w", err)
	}
	r.current()
	return nil
}
