package limit

import (
	"net/netip"
	"time"
)

const (
	// failuresPerMinute is how many failed authentications an address may have, also at once.
	failuresPerMinute = 100
	// maxAddresses bounds what is remembered of addresses: some 5 MB. An attacker with more addresses than this
	// pushes out those with the fewest failures (see table), not the ones that are shut out.
	maxAddresses = 1 << 16
)

// Failures counts failed authentications per client address, in this process: guessing keys is hopeless anyway, the
// limit is against the load. IPv6 addresses count by their /64, which is what one customer gets. It is safe for
// concurrent use.
type Failures struct {
	clock func() int64
	quota quota
	own   *memory[netip.Addr]
}

// NewFailures returns a counter without failures; now is time.Now when nil.
func NewFailures(now func() time.Time) *Failures {
	return &Failures{clock: clockOf(now), quota: quotaOf(failuresPerMinute), own: newMemory[netip.Addr](maxAddresses)}
}

// Allowed reports whether the address may try to authenticate, and if not, how long until it may.
func (f *Failures) Allowed(addr netip.Addr) (retryAfter time.Duration, ok bool) {
	d := f.quota.decision(f.own.debt(Group(addr), f.clock()), false)
	return d.RetryAfter, d.RetryAfter == 0
}

// Failed notes a failed authentication.
func (f *Failures) Failed(addr netip.Addr) { f.own.take(Group(addr), f.quota, f.clock()) }

// Group is the address that stands for all that count together: an IPv4 address, or an IPv6 /64, which is what one
// customer gets. Addresses that are none count together, too.
func Group(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	prefix, _ := addr.Prefix(64) // fails for zones and too long prefixes only
	return prefix.Addr()
}
