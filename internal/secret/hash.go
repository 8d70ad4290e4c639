package secret

import "crypto/sha256"

// HashToken is how a random token is stored and looked up: SHA-256. A token of 128 random bits or more needs no salt and
// no slow hash, and whoever has the database alone cannot use it.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
