package parley

// The length of a bootstrap key, in bytes.
const (
	MinBootstrapKey = 24
	MaxBootstrapKey = 200
)

// IsPrintable reports whether s has printable ASCII characters only, no space, and is not empty.
func IsPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// IsBootstrapKey reports whether an operator may choose s as the first API key.
func IsBootstrapKey(s string) bool {
	return IsPrintable(s) && len(s) >= MinBootstrapKey && len(s) <= MaxBootstrapKey
}
