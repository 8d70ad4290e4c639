package egress

import (
	"net/netip"
	"testing"

	"parley/internal/egress/egresstest"
)

func gate(t testing.TB, o Options) *Gate {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func TestConnectionsGoToPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	g := gate(t, Options{})
	for _, ip := range egresstest.Internal {
		for _, at := range []netip.Addr{ip, ip.WithZone("lo")} {
			if g.check(netip.AddrPortFrom(at, 443), false) == nil {
				t.Errorf("%s passes", at)
			}
		}
	}
	for _, ip := range egresstest.Global {
		if g.check(netip.AddrPortFrom(ip, 443), false) != nil {
			t.Errorf("%s is refused", ip)
		}
	}
}

func TestAnAllowedNetworkOpensOnlyWhatItNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, ip string
		open      bool
	}{
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"10.0.0.5", "10.0.0.5", true},
		{"10.0.0.5", "10.0.0.6", false},
		{"10.0.0.0/8", "11.0.0.1", true},
		{"10.0.0.0/8", "192.168.0.1", false},
		{"10.0.0.0/8", "2002:a00:1::", false},
		{"10.0.0.0/8", "64:ff9b::a00:1", false},
		{"fd00::/8", "fd12::1", true},
		{"fd00::/8", "fd00:ec2::254", false},
		{"fd00:ec2::254/128", "fd00:ec2::254", true},
		{"::1/128", "::1", true},
		// Wide networks open no metadata service, and nothing else that nobody means.
		{"0.0.0.0/0", "10.0.0.1", true},
		{"0.0.0.0/0", "169.254.169.254", false},
		{"0.0.0.0/0", "168.63.129.16", false},
		{"0.0.0.0/0", "0.0.0.0", false},
		{"0.0.0.0/0", "224.0.0.1", false},
		{"100.64.0.0/10", "100.64.0.1", true},
		{"100.64.0.0/10", "100.100.100.200", false},
		{"169.254.0.0/16", "169.254.1.1", true},
		{"169.254.0.0/16", "169.254.169.254", false},
		{"169.254.169.254/32", "169.254.169.254", true},
		{"::/0", "fd12::1", true},
		{"::/0", "::1", true},
		{"::/0", "fe80::1", false},
		{"::/0", "ff02::1", false},
		{"::/0", "10.0.0.1", false},
		{"fe80::/10", "fe80::1", true},
		// Behind NAT64, every IPv4 host has such an address.
		{"64:ff9b::/96", "64:ff9b::808:808", true},
		{"64:ff9b::/96", "64:ff9b::a9fe:a9fe", false},
		{"64:ff9b::/96", "64:ff9b::a00:1", false},
		{"64:ff9b:1::/48", "64:ff9b:1::a00:1", false},
		{"2002::/16", "2002:7f00:1::", false},
		{"2002::/16", "2002:808:808::1", true},
		{"2001::/32", "2001:0:4136:e378:8000:63bf:80ff:fffe", false}, // 127.0.0.1, inverted
		{"2001::/32", "2001:0:4136:e378:8000:63bf:f7f7:f7f7", true},  // 8.8.8.8
		{"::/96", "::127.0.0.1", false},
	} {
		g := gate(t, Options{Allow: []string{c.allow}})
		if open := g.check(netip.AddrPortFrom(netip.MustParseAddr(c.ip), 443), false) == nil; open != c.open {
			t.Errorf("%s with %s allowed: open is %v", c.ip, c.allow, open)
		}
	}
}

func TestAnAllowedNameMayStandInAPrivateNetworkOnly(t *testing.T) {
	t.Parallel()
	g := gate(t, Options{Own: []string{"127.0.0.1:8080"}})
	for ip, open := range map[string]bool{
		"10.0.0.1": true, "127.0.0.1": true, "::1": true, "fd12::1": true, "8.8.8.8": true,
		"169.254.169.254": false, "169.254.1.1": false, "168.63.129.16": false, "100.100.100.200": false, "fd00:ec2::254": false, "fe80::1": false,
		"0.0.0.0": false, "::": false, "ff02::1": false, "255.255.255.255": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false,
	} {
		if (g.check(netip.AddrPortFrom(netip.MustParseAddr(ip), 8081), true) == nil) != open {
			t.Errorf("%s: want open %v", ip, open)
		}
	}
	if g.check(netip.MustParseAddrPort("127.0.0.1:8080"), true) == nil {
		t.Error("the server's own address passes")
	}
}

func TestTheServerItselfIsNotReached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own, at string
		open    bool
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080", false},
		{"127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", false},
		{"127.0.0.1:8080", "127.0.0.1:8081", true},
		{"127.0.0.1:8080", "127.0.0.2:8080", true},
		{":8080", "127.0.0.2:8080", false},
		{"0.0.0.0:8080", "[::1]:8080", false},
		{"[::]:8080", "127.0.0.1:8080", false},
		{"[::]:8080", "10.99.98.97:8080", true},
		{"localhost:8080", "127.0.0.1:8080", false},
		{"8.8.8.8:443", "8.8.8.8:443", false},
		{"127.0.0.1:0", "127.0.0.1:80", true},
	} {
		g := gate(t, Options{Own: []string{c.own}, Allow: []string{"0.0.0.0/0", "::/0"}})
		if open := g.check(netip.MustParseAddrPort(c.at), false) == nil; open != c.open {
			t.Errorf("%s listening at %s: open is %v", c.at, c.own, open)
		}
	}
}

func TestOptionsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, allow := range []string{"", "api.local", "api.local:", ":80", "api.local:0", "api.local:65536", "api.local:http", "10.0.0.0/33", "http://api.local:80"} {
		if _, err := New(Options{Allow: []string{allow}}); err == nil {
			t.Errorf("allowing %q is accepted", allow)
		}
	}
	if _, err := New(Options{Own: []string{"nowhere"}}); err == nil {
		t.Error("a listen address without a port is accepted")
	}
}

func BenchmarkCheck(b *testing.B) {
	g := gate(b, Options{Allow: []string{"10.0.0.0/8", "fd12::/16"}, Own: []string{"127.0.0.1:8080"}})
	for name, at := range map[string]string{"IPv4": "93.184.216.34:443", "IPv6": "[2606:4700::1111]:443", "refused": "[::ffff:169.254.169.254]:80", "allowed": "10.1.2.3:80"} {
		b.Run(name, func(b *testing.B) {
			addr := netip.MustParseAddrPort(at)
			b.ReportAllocs()
			for b.Loop() {
				_ = g.check(addr, false)
			}
		})
	}
}

func TestTheCheckAllocatesNothing(t *testing.T) {
	g := gate(t, Options{Allow: []string{"10.0.0.0/8"}, Own: []string{"127.0.0.1:8080"}})
	for _, ip := range append(egresstest.Internal, egresstest.Global...) {
		at := netip.AddrPortFrom(ip, 443)
		if n := testing.AllocsPerRun(10, func() { _ = g.check(at, false) }); n != 0 {
			t.Errorf("%s: %v allocations", ip, n)
		}
	}
}
