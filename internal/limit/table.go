package limit

// sweepLooks is how many entries each new one looks at. More than one is dropped for each that comes, if so many are
// worthless, so a table shrinks back after a flood.
const sweepLooks = 8

// table holds at most so many buckets. Nobody sweeps it but those who add: each looks at the next few entries, drops
// the buckets that are full (as good as none), and, when the table is at its bound, the fullest of those few. So a
// flood of new keys pushes out other newcomers and not the keys that used most of their limit. It is not safe for
// concurrent use.
type table[K comparable, V any] struct {
	most    int
	full    func(*V) int64 // when the bucket is full
	index   map[K]int
	entries []entry[K, V]
	next    int // where the sweep goes on
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newTable[K comparable, V any](most int, full func(*V) int64) table[K, V] {
	return table[K, V]{most: most, full: full, index: map[K]int{}}
}

// get returns the value of a key, nil when there is none. The pointer is good until the next add.
func (t *table[K, V]) get(key K) *V {
	i, ok := t.index[key]
	if !ok {
		return nil
	}
	return &t.entries[i].value
}

// add makes room and adds a key that is not there.
func (t *table[K, V]) add(key K, now int64, v V) *V {
	t.makeRoom(now)
	t.index[key] = len(t.entries)
	t.entries = append(t.entries, entry[K, V]{key, v})
	return &t.entries[len(t.entries)-1].value
}

func (t *table[K, V]) makeRoom(now int64) {
	fullest, earliest := -1, int64(0)
	for range min(sweepLooks, len(t.entries)) {
		if t.next >= len(t.entries) {
			t.next, fullest = 0, -1 // the last entry may have moved into a hole
		}
		full := t.full(&t.entries[t.next].value)
		if full <= now {
			t.drop(t.next) // the last entry is here now, to be looked at next
			if len(t.entries) == 0 {
				return
			}
			continue
		}
		if fullest < 0 || full < earliest {
			fullest, earliest = t.next, full
		}
		t.next++
	}
	if len(t.entries) >= t.most {
		t.drop(max(fullest, 0))
	}
}

func (t *table[K, V]) drop(i int) {
	last := len(t.entries) - 1
	delete(t.index, t.entries[i].key)
	if i != last {
		t.entries[i] = t.entries[last]
		t.index[t.entries[i].key] = i
	}
	t.entries[last] = entry[K, V]{} // keys and leases must not stay reachable
	t.entries = t.entries[:last]
}
