package widget

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// tokenPrefix lets scanners recognize a visitor's token.
const tokenPrefix = "pv_"

// How long a token is good, and how long after that it can still be exchanged for another. One that was exchanged can be
// exchanged again for replacedLife, until the newer one is used: the page may have left before that arrived.
const (
	tokenLife    = time.Hour
	resumeLife   = 30 * 24 * time.Hour
	replacedLife = time.Hour
)

// newToken makes a token of 256 random bits. It says nothing: the database knows what it stands for, and keeps only its
// hash, so that it can be replaced and revoked and a stolen database opens no chat.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}
