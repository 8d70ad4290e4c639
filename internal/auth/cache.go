package auth

import (
	"crypto/sha256"
	"sync"
	"time"

	"parley"
)

const (
	// cacheFor bounds how long a revoked key still works on other nodes, and a new limit does not yet. The
	// contract says one second.
	cacheFor = 500 * time.Millisecond
	// cacheKeys bounds the memory; beyond it, arbitrary keys are asked for again.
	cacheKeys = 10_000
)

// holder is who holds a live key.
type holder struct {
	key       parley.APIKey
	principal parley.Principal
}

// cache remembers live keys by the hash of their text, never keys that were refused: garbage fills no memory,
// and a new key works at once. An entry that is too old to be believed stays known. The zero value is ready.
type cache struct {
	mu     sync.RWMutex
	byHash map[[sha256.Size]byte]cached
}

type cached struct {
	holder
	until time.Time
}

// get returns a key's holder; fresh says that the database need not be asked.
func (c *cache) get(hash [sha256.Size]byte, now time.Time) (h holder, fresh bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.byHash[hash]
	return e.holder, ok && now.Before(e.until)
}

func (c *cache) known(hash [sha256.Size]byte) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.byHash[hash]
	return ok
}

func (c *cache) put(hash [sha256.Size]byte, h holder, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byHash == nil {
		c.byHash = map[[sha256.Size]byte]cached{}
	}
	if _, ok := c.byHash[hash]; !ok && len(c.byHash) >= cacheKeys {
		for other := range c.byHash {
			delete(c.byHash, other)
			break
		}
	}
	c.byHash[hash] = cached{h, now.Add(cacheFor)}
}

func (c *cache) drop(hash [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byHash, hash)
}

// used notes a use, so that it is written once and not by every request until the next look-up.
func (c *cache) used(hash [sha256.Size]byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byHash[hash]; ok {
		e.key.LastUsedAt = &now
		c.byHash[hash] = e
	}
}

// expire makes every entry too old to be believed.
func (c *cache) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for hash, e := range c.byHash {
		e.until = time.Time{}
		c.byHash[hash] = e
	}
}
