package limit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestFailuresShutAnAddressOut(t *testing.T) {
	t.Parallel()
	clock := &virtual{}
	f := NewFailures(clock.now)
	addr, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for n := range failuresPerMinute {
		if wait, ok := f.Allowed(addr); !ok || wait != 0 {
			t.Fatalf("shut out after %d failures: %v", n, wait)
		}
		f.Failed(addr)
	}
	wait, ok := f.Allowed(addr)
	if ok || wait <= 0 || wait > 600*time.Millisecond {
		t.Fatalf("%v, %v", wait, ok)
	}
	for range 1000 { // those that were under way: they count for no more than an empty bucket
		f.Failed(addr)
	}
	if again, _ := f.Allowed(addr); again != wait {
		t.Errorf("%v became %v", wait, again)
	}
	if _, ok := f.Allowed(other); !ok {
		t.Error("another address is shut out")
	}
	clock.advance(wait)
	if _, ok := f.Allowed(addr); !ok {
		t.Error("shut out for longer than was said")
	}
	f.Failed(addr)
	if _, ok := f.Allowed(addr); ok {
		t.Error("more than one try came back")
	}
}

func TestAddressesAreGrouped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"::1", "127.0.0.1", false},
	} {
		if a, b := Group(netip.MustParseAddr(c.a)), Group(netip.MustParseAddr(c.b)); (a == b) != c.same {
			t.Errorf("%s counts as %v, %s as %v", c.a, a, c.b, b)
		}
	}
	if Group(netip.Addr{}) != (netip.Addr{}) {
		t.Error("no address")
	}
}

func TestManyAddressesDoNotFreeTheGuilty(t *testing.T) {
	t.Parallel()
	clock := &virtual{}
	f := NewFailures(clock.now)
	guilty := netip.MustParseAddr("192.0.2.1")
	for range failuresPerMinute {
		f.Failed(guilty)
	}
	for n := range uint32(3 * maxAddresses) {
		var a [16]byte
		binary.BigEndian.PutUint32(a[2:], n)
		f.Failed(netip.AddrFrom16(a))
	}
	if got := len(f.own.buckets.entries); got != maxAddresses {
		t.Errorf("%d addresses are held", got)
	}
	if _, ok := f.Allowed(guilty); ok {
		t.Error("the guilty address was forgotten")
	}
}

func BenchmarkFailed(b *testing.B) {
	b.ReportAllocs()
	f := NewFailures(nil)
	addr := netip.MustParseAddr("2001:db8::1")
	for b.Loop() {
		f.Allowed(addr)
		f.Failed(addr)
	}
}
