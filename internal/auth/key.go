package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math/big"
	"strings"
	"time"

	"parley"
)

// The form of a key: a prefix that scanners recognize, 256 random bits in base62 and a CRC-32 of what
// stands before it (GitHub's format notes: https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/).
const (
	KeyPrefix   = "pk_live_"
	randomChars = 43
	sumChars    = 6
	shownChars  = 12 // of the key's beginning, for people to recognize it
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewKey makes a key. The text is shown once; only its hash is kept.
func NewKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	body := KeyPrefix + encode62(new(big.Int).SetBytes(b[:]), randomChars)
	return body + checksum(body)
}

// encode62 writes n in base62, padded with zeros to width.
func encode62(n *big.Int, width int) string {
	out := make([]byte, width)
	base, digit := big.NewInt(int64(len(base62))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}

func checksum(body string) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], crc32.ChecksumIEEE([]byte(body)))
	return encode62(new(big.Int).SetBytes(b[:]), sumChars)
}

// plausible reports whether a text may be a key at all, so that garbage costs no look-up. The checksum is for
// scanners and is not asked here: a bootstrap key may be any printable text, even one that looks like a key
// with a wrong checksum.
func plausible(key string) bool {
	return parley.IsPrintable(key) && len(key) <= parley.MaxBootstrapKey
}

// WellFormed reports whether key has the form of NewKey with a right checksum.
func WellFormed(key string) bool {
	cut := len(key) - sumChars
	return strings.HasPrefix(key, KeyPrefix) && len(key) == len(KeyPrefix)+randomChars+sumChars && checksum(key[:cut]) == key[cut:]
}

// HashKey is what a key is stored and found by.
func HashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// Describe makes the row of a key.
func Describe(orgID, name, key string, scopes []string, now time.Time) parley.APIKey {
	return parley.APIKey{
		ID: parley.NewID(), OrgID: orgID, Name: name, Prefix: key[:shownChars], Last4: key[len(key)-4:],
		Scopes: scopes, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}
