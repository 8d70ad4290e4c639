package store

import (
	"runtime"
	"time"
)

// breathEvery is how long a transaction may keep a processor.
const breathEvery = 200 * time.Microsecond

// breath lets other goroutines work between the statements of a transaction. SQLite is Go here and waits for nothing:
// where there is one processor, a transaction of many writes would keep everybody from it for up to 10 ms, which is when
// the runtime takes it away.
type breath struct{ last time.Time }

// take is called before every statement.
func (b *breath) take() {
	if b != nil && time.Since(b.last) > breathEvery {
		runtime.Gosched()
		b.last = time.Now()
	}
}
