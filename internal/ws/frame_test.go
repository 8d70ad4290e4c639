package ws

import "testing"

// TestMaskChanges: no two frames of a client carry the same mask, or proxies could be made to see what is sent.
func TestMaskChanges(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		seen[string(appendFrame(nil, opText, true, []byte("hello")))] = true
	}
	if len(seen) < 99 {
		t.Errorf("%d different frames of 100", len(seen))
	}
	if f := appendFrame(nil, opText, false, []byte("hi")); string(f) != "\x81\x02hi" {
		t.Errorf("a server's frame is %q", f)
	}
}

// TestMaskOfEveryLength compares with the definition in RFC 6455 section 5.3.
func TestMaskOfEveryLength(t *testing.T) {
	t.Parallel()
	for n := range 70 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(7 * i)
		}
		mask(b, 0x04030201)
		for i := range b {
			if b[i] != byte(7*i)^byte(i%4+1) {
				t.Fatalf("byte %d of %d is %d", i, n, b[i])
			}
		}
	}
}
