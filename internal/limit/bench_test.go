package limit

import (
	"strconv"
	"testing"

	"parley/internal/store/storetest"
)

func benchmark(b *testing.B, l *Limiter, keys, perMinute int) {
	names := make([]string, keys)
	for i := range names {
		names[i] = "organization " + strconv.Itoa(i)
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if _, err := l.Take(ctx, names[n%keys], perMinute); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkMemory(b *testing.B)         { benchmark(b, New(Options{}), 1, 60_000_000) }
func BenchmarkMemoryManyKeys(b *testing.B) { benchmark(b, New(Options{}), 10_000, 6000) }
func BenchmarkMemoryRefused(b *testing.B)  { benchmark(b, New(Options{}), 1, 1) }
func BenchmarkSharedHotKey(b *testing.B) {
	benchmark(b, patient(Options{Shared: storetest.Postgres(b)}), 1, 60_000_000)
}
func BenchmarkSharedRefused(b *testing.B) {
	benchmark(b, patient(Options{Shared: storetest.Postgres(b)}), 1, 1)
}
func BenchmarkSharedThousands(b *testing.B) {
	benchmark(b, patient(Options{Shared: storetest.Postgres(b)}), 2000, 600)
}
