package auth

import (
	"crypto/rand"
	"encoding/base64"
)

// NewIdentitySecret makes the key with which a site signs who its visitors are. The text is the key, byte by byte, so
// that any library takes it as it is.
func NewIdentitySecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return "pis_" + base64.RawURLEncoding.EncodeToString(b[:])
}
