package store_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/internal/store"
)

// Whatever part of a name is searched for, the grams asked for are among those of the name, and none of them
// is another organization's.
func FuzzGrams(f *testing.F) {
	for _, name := range oddNames {
		f.Add(name, 0, 3)
		f.Add(name, 1, 255)
	}
	f.Fuzz(func(t *testing.T, name string, from, n int) {
		runes := []rune(store.Fold(name))
		if !utf8.ValidString(name) || len(runes) > 1000 || len(runes) == 0 {
			t.Skip()
		}
		from = abs(from) % len(runes)
		part := string(runes[from : from+1+abs(n)%(len(runes)-from)])
		all, others := strings.Fields(store.Grams("a", string(runes))), strings.Fields(store.Grams("b", string(runes)))
		for want := range strings.SplitSeq(store.MatchGrams("a", part), " AND ") {
			if want = strings.Trim(want, `"`); !slices.Contains(all, want) || slices.Contains(others, want) {
				t.Fatalf("%q in %q: %s", part, name, want)
			}
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
