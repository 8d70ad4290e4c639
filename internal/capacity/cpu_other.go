//go:build !unix

package capacity

import "time"

// cpuTime is not known here: the scheduler's and the frames' lateness decide alone.
func cpuTime() time.Duration { return 0 }
