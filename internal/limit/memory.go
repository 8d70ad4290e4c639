package limit

import "sync"

// memory keeps the buckets of one process. It is safe for concurrent use.
type memory[K comparable] struct {
	mu      sync.Mutex
	buckets table[K, int64] // when each is full
}

func newMemory[K comparable](most int) *memory[K] {
	return &memory[K]{buckets: newTable[K](most, func(full *int64) int64 { return *full })}
}

// take takes one request from a key's bucket.
func (m *memory[K]) take(key K, q quota, now int64) (debt int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	full := m.buckets.get(key)
	if full == nil {
		full = m.buckets.add(key, now, now)
	}
	debt, ok = q.take(*full, now)
	*full = now + debt
	return debt, ok
}

// debt looks at a key's bucket.
func (m *memory[K]) debt(key K, now int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if full := m.buckets.get(key); full != nil {
		return *full - now
	}
	return 0
}
