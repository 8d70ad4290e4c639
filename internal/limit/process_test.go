package limit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// hammered is what one process counted. Times are Unix nanoseconds of the machine's clock.
type hammered struct {
	Allowed, Refused int
	From, Until      int64
}

// hammer takes as fast as it can from several goroutines for as long as d.
func hammer(ctx context.Context, l *Limiter, key string, limit int, d time.Duration) (hammered, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var allowed, refused atomic.Int64
	var failed atomic.Pointer[error]
	h := hammered{From: time.Now().UnixNano()}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch d, err := l.Take(context.WithoutCancel(ctx), key, limit); {
				case err != nil:
					failed.Store(&err)
					return
				case d.Allowed:
					allowed.Add(1)
				default:
					refused.Add(1)
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	h.Until = time.Now().UnixNano()
	h.Allowed, h.Refused = int(allowed.Load()), int(refused.Load())
	if err := failed.Load(); err != nil {
		return h, *err
	}
	return h, nil
}

// judge compares what all processes allowed together with the limit.
func judge(t *testing.T, limit int, all ...hammered) {
	t.Helper()
	sum, from, until := 0, all[0].From, all[0].Until
	for _, h := range all {
		sum, from, until = sum+h.Allowed, min(from, h.From), max(until, h.Until)
	}
	theory := float64(limit) + float64(limit)*float64(until-from)/6e10
	t.Logf("allowed %d of %.0f (%.3f): %+v", sum, theory, float64(sum)/theory, all)
	if ratio := float64(sum) / theory; ratio > 1.1 || ratio < 0.9 {
		t.Errorf("allowed %d together, in theory %.0f", sum, theory)
	}
}

func TestTwoLimitersShareALimit(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	for _, limit := range []int{90, 600, 30_000} {
		var counts [2]hammered
		var wg sync.WaitGroup
		for i := range counts {
			st, err := store.Open(t.Context(), store.Options{URL: address})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			o := Options{Shared: st, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
			if i == 1 { // one node's clock is an hour ahead: nothing changes
				o.Now = func() time.Time { return time.Now().Add(time.Hour) }
			}
			l := patient(o)
			wg.Go(func() {
				var err error
				if counts[i], err = hammer(t.Context(), l, fmt.Sprint(limit), limit, 2*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		judge(t, limit, counts[:]...)
	}
}

const nodeEnv = "PARLEY_TEST_LIMIT_NODE" // the database's address: this test binary is to be a second process

// runAsNode plays one process of TestProcessesShareALimit, if this one was started for that.
func runAsNode() bool {
	address := os.Getenv(nodeEnv)
	if address == "" {
		return false
	}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{URL: address})
	if err != nil {
		panic(err)
	}
	defer st.Close()
	h, err := hammer(ctx, patient(Options{Shared: st}), "processes", 600, 2*time.Second)
	if err != nil {
		panic(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(h)
	return true
}

func TestProcessesShareALimit(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: address}) // migrates before the others come
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var counts [2]hammered
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), nodeEnv+"="+address)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err == nil {
				err = json.Unmarshal(out, &counts[i])
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	judge(t, 600, counts[:]...)
}
