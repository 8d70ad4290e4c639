package metric

import (
	"strings"
	"sync"
	"sync/atomic"
)

// other is the label value of what a Vec has no room for.
const other = "other"

// vecMax bounds the combinations of label values of one Vec: a scrape stays small, whatever models and tools
// people name.
const vecMax = 200

// Vec counts by labels: an owner adds, a Registry reads. Make it with NewVec. Safe for concurrent use; adding to
// known labels takes a read lock and an atomic operation, so it is not for single frames.
type Vec struct {
	labels []string

	mu    sync.RWMutex
	cells map[string]*cell // by the joined values
}

type cell struct {
	values []string
	n      atomic.Int64
}

// NewVec makes a Vec with these label names. What comes after 200 different combinations counts as "other".
func NewVec(labels ...string) *Vec { return &Vec{labels: labels, cells: map[string]*cell{}} }

// Add counts n more for the label values, one for each name.
func (v *Vec) Add(n int64, values ...string) {
	key := strings.Join(values, "\x00")
	v.mu.RLock()
	c := v.cells[key]
	v.mu.RUnlock()
	if c == nil {
		c = v.open(key, values)
	}
	c.n.Add(n)
}

func (v *Vec) open(key string, values []string) *cell {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.cells) >= vecMax && v.cells[key] == nil {
		values = make([]string, len(v.labels))
		for i := range values {
			values[i] = other
		}
		key = strings.Join(values, "\x00")
	}
	c := v.cells[key]
	if c == nil {
		c = &cell{values: append([]string(nil), values...)}
		for i, s := range c.values {
			c.values[i] = strings.ToValidUTF8(s, "?")
		}
		v.cells[key] = c
	}
	return c
}

// Get returns the count of the label values.
func (v *Vec) Get(values ...string) int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if c := v.cells[strings.Join(values, "\x00")]; c != nil {
		return c.n.Load()
	}
	return 0
}

// each calls f for every combination.
func (v *Vec) each(f func(values []string, n int64)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, c := range v.cells {
		f(c.values, c.n.Load())
	}
}
