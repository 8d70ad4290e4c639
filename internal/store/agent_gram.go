package store

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// The search index holds of every agent's name the distinct grams: runs of one to three code points, each
// hashed with the organization. PostgreSQL computes them itself (migration 00002); these are the functions of
// the same names for SQLite. Two grams with the same hash cost time only: every hit is checked against the name.

var addGramFunctions = sync.OnceValue(func() error {
	for name, f := range map[string]func(orgID, folded string) string{"parley_grams": grams, "parley_match": matchGrams} {
		err := sqlite.RegisterDeterministicScalarFunction(name, 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			orgID, ok := args[0].(string)
			folded, ok2 := args[1].(string)
			if !ok || !ok2 {
				return nil, fmt.Errorf("%s takes two texts", name)
			}
			return f(orgID, folded), nil
		})
		if err != nil {
			return fmt.Errorf("adding function %s: %w", name, err)
		}
	}
	return nil
})

const gramLength = 3

// grams lists the grams of a folded name, separated by spaces.
func grams(orgID, folded string) string {
	seed, runes := hash(fnvOffset, orgID), []rune(folded)
	seen := make(map[uint64]bool, gramLength*len(runes))
	text := make([]byte, 0, 14*gramLength*len(runes))
	for n := 1; n <= gramLength; n++ {
		for i := 0; i+n <= len(runes); i++ {
			if h := hash(seed, string(runes[i:i+n])); !seen[h] {
				seen[h] = true
				text = append(strconv.AppendUint(text, h, 36), ' ')
			}
		}
	}
	return string(text)
}

// matchGrams is the FTS5 query for the grams that every text containing folded has: folded cut into threes,
// or itself when it is shorter.
func matchGrams(orgID, folded string) string {
	seed, runes := hash(fnvOffset, orgID), []rune(folded)
	var all []string
	for i := 0; i < len(runes); i += gramLength {
		first := max(min(i, len(runes)-gramLength), 0)
		gram := string(runes[first:min(first+gramLength, len(runes))])
		all = append(all, `"`+strconv.FormatUint(hash(seed, gram), 36)+`"`)
	}
	return strings.Join(all, " AND ")
}

// FNV-1a, 64 bits, continued from a seed.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hash(seed uint64, text string) uint64 {
	for _, b := range []byte(text) {
		seed = (seed ^ uint64(b)) * fnvPrime
	}
	return seed
}
